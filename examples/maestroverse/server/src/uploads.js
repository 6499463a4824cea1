import { Router } from 'express';
import multer from 'multer';
import { HashedStorage } from './files.js';
import { authenticated } from './tokens.js';

const MAX_BYTES = 50 << 20;

export function uploads({ prisma }, { jwtSecret, uploadsDir }) {
  const router = Router();
  const storage = new HashedStorage(uploadsDir);
  const receive = multer({
    storage,
    limits: { files: 1, fileSize: MAX_BYTES, fields: 4, fieldSize: 1000 },
    fileFilter: (req, file, done) => done(null, file.mimetype.startsWith('audio/')),
  });

  router.post('/uploads', authenticated(jwtSecret), receive.single('file'), async (req, res) => {
    if (!req.file) return res.fail(400, 'invalid_request', { problems: ['send an audio file as `file`'] });
    const { size, sha256, mimetype, originalname } = req.file;
    const given = typeof req.body.title === 'string' ? req.body.title.trim() : '';
    const title = given || originalname;
    const track = await prisma.track.create({
      data: {
        ownerId: req.user.id,
        title: title.slice(0, 200),
        filePath: await storage.keep(req.file),
        bytes: size,
        sha256,
        contentType: mimetype,
      },
    });
    const { id, bytes, contentType, createdAt } = track;
    res.status(201).location(`/uploads/${id}`).json({ id, title: track.title, bytes, sha256, contentType, createdAt });
  });

  router.get('/uploads/:id', authenticated(jwtSecret), async (req, res) => {
    const track = await prisma.track.findUnique({ where: { id: req.params.id } });
    if (!track) return res.fail(404, 'not_found');
    if (track.ownerId !== req.user.id) return res.fail(403, 'not_yours');
    res.set('X-Content-Type-Options', 'nosniff');
    res.set('Cache-Control', 'private, no-cache');
    res.attachment(track.title);
    res.type(track.contentType ?? 'application/octet-stream');
    res.sendFile(track.filePath, { root: uploadsDir, cacheControl: false });
  });

  return router;
}
