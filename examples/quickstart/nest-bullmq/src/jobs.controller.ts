import { InjectQueue } from '@nestjs/bullmq';
import { BadRequestException, Body, Controller, Get, Header, HttpCode, NotFoundException, Param, Post, Query } from '@nestjs/common';
import { Queue } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checksum } from './checksum';
import { QUEUE } from './settings';

const MAX_WAIT = 5;

@Controller('jobs')
export class JobsController {
  constructor(@InjectQueue(QUEUE) private readonly queue: Queue<{ text: string }, Checksum>) {}

  @Post()
  @HttpCode(202)
  async enqueue(@Body() body: { text?: unknown }) {
    const text = body?.text;
    if (typeof text !== 'string' || text === '') throw new BadRequestException('text: a text that is not empty');
    const job = await this.queue.add('checksum', { text }, { removeOnComplete: { age: 3600 }, attempts: 3 });
    return { id: job.id };
  }

  @Get(':id')
  @Header('cache-control', 'no-store')
  async result(@Param('id') id: string, @Query('wait') wait = '0') {
    const until = Date.now() + Math.min(Number(wait) || 0, MAX_WAIT) * 1000;
    for (;;) {
      // The state first: a job that was read before it ended has no result.
      const state = await this.queue.getJobState(id);
      const job = await this.queue.getJob(id);
      if (!job) throw new NotFoundException();
      if (state === 'completed' || state === 'failed' || Date.now() >= until) {
        return { id: job.id, state, result: job.returnvalue ?? null };
      }
      await sleep(100);
    }
  }
}
