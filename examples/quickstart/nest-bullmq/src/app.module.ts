import { BullModule } from '@nestjs/bullmq';
import { Module } from '@nestjs/common';
import { HealthController } from './health.controller';
import { JobsController } from './jobs.controller';
import { connection, QUEUE } from './settings';

@Module({
  imports: [
    BullModule.forRootAsync({ useFactory: () => ({ connection: connection() }) }),
    BullModule.registerQueue({ name: QUEUE }),
  ],
  controllers: [HealthController, JobsController],
})
export class AppModule {}
