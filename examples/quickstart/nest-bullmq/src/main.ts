import 'reflect-metadata';
import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';
import { redisUrl } from './settings';

async function bootstrap() {
  redisUrl(); // refuses to start without it, in one line
  const app = await NestFactory.create(AppModule, { logger: new ConsoleLogger({ json: true }) });
  app.enableShutdownHooks([], { useProcessExit: true });
  await app.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? '0.0.0.0');
}

bootstrap().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
