import path from 'node:path';

/** @type {import('next').NextConfig} */
export default {
  output: 'standalone',
  // The workspace packages are above this folder.
  outputFileTracingRoot: path.join(import.meta.dirname, '../..'),
  poweredByHeader: false,
};
