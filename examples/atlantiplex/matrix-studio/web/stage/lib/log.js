'use strict';

const LEVELS = ['debug', 'info', 'warn', 'error'];

/** One JSON line on stdout for each event of at least `threshold`. */
function createLog(threshold = 'info') {
  const from = LEVELS.indexOf(threshold);
  return (level, message, fields = {}) => {
    if (LEVELS.indexOf(level) < from) return;
    process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })}\n`);
  };
}

module.exports = { createLog };
