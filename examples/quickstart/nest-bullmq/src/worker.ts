import { Worker } from 'bullmq';
import { checksum } from './checksum';
import { connection, QUEUE } from './settings';

const worker = new Worker<{ text: string }>(QUEUE, async (job) => checksum(job.data.text), {
  connection: connection(),
  concurrency: 4,
});
worker.on('ready', () => console.log('worker is ready'));
worker.on('completed', (job) => console.log(`done ${job.id}`));
worker.on('failed', (job, error) => console.log(`failed ${job?.id}: ${error.message}`));
worker.on('error', (error) => console.log(`redis: ${error.message}`));

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    console.log(`${signal}: finishing the jobs at hand`);
    await worker.close();
    process.exit(0);
  });
}
