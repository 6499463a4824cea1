// Gives the program its secrets as variables: each NAME_FILE that names a file under /run/secrets becomes NAME.
//
// Node.js loads this before the program (`--require` in NODE_OPTIONS). The values stand neither in the image nor in what
// `docker inspect` shows, and not in the environment with which the process was started.
'use strict';
const { readFileSync } = require('node:fs');

for (const [name, path] of Object.entries(process.env)) {
  if (!name.endsWith('_FILE') || !path.startsWith('/run/secrets/')) continue;
  const variable = name.slice(0, -'_FILE'.length);
  if (process.env[variable] === undefined) {
    process.env[variable] = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  }
}
