// Says that the event loop of a process without a port turns: /tmp/heartbeat is written every ten seconds.
//
// Node.js loads this before the program (`--require` in NODE_OPTIONS). The health check, which is `node -e`, writes none.
'use strict';
const { writeFile } = require('node:fs');

if (process.argv.length > 1) {
  const beat = () => writeFile('/tmp/heartbeat', '', () => {});
  setTimeout(beat, 1000).unref();
  // It does not keep a program alive that has nothing left to do.
  setInterval(beat, 10_000).unref();
}
