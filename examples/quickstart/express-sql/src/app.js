'use strict';

const express = require('express');
const { readNote, readId } = require('./note');

const COLUMNS = 'id, title, body, created_at, updated_at';

function createApp(pool) {
  const app = express();
  app.disable('x-powered-by');
  app.use(express.json({ limit: '100kb' }));

  app.get('/health', (req, res) => res.json({ status: 'ok' }));
  app.get('/ready', async (req, res) => {
    let timer;
    const limit = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error('no answer in 2 s')), 2000);
    });
    try {
      await Promise.race([pool.query('SELECT 1'), limit]);
      res.json({ database: true });
    } catch {
      res.status(503).json({ database: false });
    } finally {
      clearTimeout(timer);
    }
  });

  app.get('/api/notes', async (req, res) => {
    const { rows } = await pool.query(`SELECT ${COLUMNS} FROM notes ORDER BY id DESC LIMIT 100`);
    res.json(rows);
  });

  app.post('/api/notes', async (req, res) => {
    const note = readNote(req.body);
    const { rows } = await pool.query(
      `INSERT INTO notes (title, body) VALUES ($1, $2) RETURNING ${COLUMNS}`,
      [note.title, note.body],
    );
    res.status(201).location(`/api/notes/${rows[0].id}`).json(rows[0]);
  });

  const one = (rows, res) => (rows.length ? res.json(rows[0]) : res.status(404).json({ error: 'not_found' }));

  app.get('/api/notes/:id', async (req, res) => {
    const { rows } = await pool.query(`SELECT ${COLUMNS} FROM notes WHERE id = $1`, [readId(req.params.id)]);
    one(rows, res);
  });

  app.put('/api/notes/:id', async (req, res) => {
    const note = readNote(req.body);
    const { rows } = await pool.query(
      `UPDATE notes SET title = $2, body = $3, updated_at = now() WHERE id = $1 RETURNING ${COLUMNS}`,
      [readId(req.params.id), note.title, note.body],
    );
    one(rows, res);
  });

  app.delete('/api/notes/:id', async (req, res) => {
    const { rowCount } = await pool.query('DELETE FROM notes WHERE id = $1', [readId(req.params.id)]);
    res.status(rowCount ? 204 : 404).end();
  });

  app.use((req, res) => res.status(404).json({ error: 'not_found' }));
  app.use((error, req, res, next) => {
    const status = error.status ?? 500;
    if (status === 500) console.log(`error: ${error.message}`);
    res.status(status).json({ error: status === 500 ? 'internal' : error.message });
  });
  return app;
}

module.exports = { createApp };
