import { randomUUID } from 'node:crypto';
import { MulterError } from 'multer';
import { log } from './log.js';

/** Gives every request an id, which its log line and its error answer carry. */
export function requestId(req, res, next) {
  req.id = randomUUID();
  res.set('X-Request-Id', req.id);
  res.fail = (status, error, more = {}) => res.status(status).json({ error, ...more, requestId: req.id });
  next();
}

export function requestLog(req, res, next) {
  const began = process.hrtime.bigint();
  res.on('finish', () => {
    const ms = Number(process.hrtime.bigint() - began) / 1e6;
    const { method, originalUrl: url, id } = req;
    log('info', 'request', { id, method, url, status: res.statusCode, ms: Math.round(ms) });
  });
  next();
}

/** Pages of the listed origins may call the API from a browser. */
export function cors(origins) {
  return (req, res, next) => {
    res.vary('Origin');
    const origin = req.get('origin');
    const allowed = origin !== undefined && origins.includes(origin);
    if (allowed) {
      res.set('Access-Control-Allow-Origin', origin);
      res.set('Access-Control-Expose-Headers', 'X-Cache, X-Request-Id');
    }
    if (req.method !== 'OPTIONS' || !req.get('access-control-request-method')) return next();
    if (allowed) {
      res.set('Access-Control-Allow-Methods', 'GET, POST');
      res.set('Access-Control-Allow-Headers', 'Authorization, Content-Type');
      res.set('Access-Control-Max-Age', '600');
    }
    res.status(204).end();
  };
}

export function notFound(req, res) {
  res.fail(404, 'not_found');
}

/** Express knows an error handler by its four parameters. */
export function failed(error, req, res, next) {
  if (res.headersSent) return res.destroy();
  if (req.destroyed && !req.complete) return log('info', 'request aborted', { id: req.id });
  if (error instanceof MulterError) {
    return res.fail(error.code === 'LIMIT_FILE_SIZE' ? 413 : 400, error.code.toLowerCase());
  }
  // What the body parser and sendFile say about the request.
  if (error.status >= 400 && error.status < 500) {
    return res.fail(error.status, error.status === 404 ? 'not_found' : 'invalid_request');
  }
  log('error', 'request failed', { id: req.id, error: error.stack ?? String(error) });
  res.fail(500, 'internal');
}
