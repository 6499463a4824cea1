import { InjectQueue } from '@nestjs/bullmq';
import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { Queue } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import { QUEUE } from './settings';

@Controller()
export class HealthController {
  constructor(@InjectQueue(QUEUE) private readonly queue: Queue) {}

  @Get('health')
  health() {
    return { status: 'ok' };
  }

  @Get('ready')
  async ready() {
    const answer = this.queue.getJobCounts('waiting').then(() => true, () => false);
    const redis = await Promise.race([answer, sleep(2000, false, { ref: false })]);
    if (!redis) throw new ServiceUnavailableException({ redis });
    return { redis };
  }
}
