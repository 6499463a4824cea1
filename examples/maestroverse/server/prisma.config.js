import { defineConfig } from 'prisma/config';

// The schema engine is for `prisma migrate`; ours are applied by migrate.mjs, and a build need not download it.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= '/bin/true';

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
});
