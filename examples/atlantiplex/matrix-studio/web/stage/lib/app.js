'use strict';

const { spawn } = require('node:child_process');
const express = require('express');

function createApp(rooms, state) {
  const app = express();
  app.disable('x-powered-by');

  app.get('/health', (req, res) => res.json({ status: 'ok' }));
  app.get('/ready', (req, res) => {
    res.status(state.closing ? 503 : 200).json({ ready: !state.closing });
  });
  app.get('/rooms', (req, res) => res.json({ rooms: rooms.list() }));

  // The shell goes at once and leaves its child to process 1: where that reaps nobody, a zombie stays behind.
  app.post('/zombies', (req, res) => {
    const shell = spawn('sh', ['-c', 'sleep 1 &'], { stdio: 'ignore' });
    shell.on('error', (error) => res.status(501).json({ error: error.message }));
    shell.on('exit', () => res.status(202).json({ spawned: 1 }));
  });

  app.use((req, res) => res.status(404).json({ error: 'not_found' }));
  return app;
}

module.exports = { createApp };
