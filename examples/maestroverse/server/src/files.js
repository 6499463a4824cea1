import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Where a file with this content lies below UPLOADS_DIR: the same content is kept once. */
export function uploadPath(sha256) {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Error('not a sha256');
  return path.posix.join(sha256.slice(0, 2), sha256.slice(2, 4), sha256);
}

/** A storage of multer: writes beside the final place and takes the hash on the way. */
export class HashedStorage {
  constructor(folder) {
    this.folder = folder;
  }

  _handleFile(req, file, done) {
    this.#receive(file).then(
      (info) => done(null, info),
      (error) => done(error),
    );
  }

  _removeFile(req, file, done) {
    rm(file.path, { force: true }).then(() => done(null), done);
  }

  async #receive(file) {
    const incoming = path.join(this.folder, 'incoming');
    await mkdir(incoming, { recursive: true, mode: 0o700 });
    const part = path.join(incoming, randomUUID());
    const hash = createHash('sha256');
    let size = 0;
    const measure = new Transform({
      transform(chunk, encoding, next) {
        hash.update(chunk);
        size += chunk.length;
        next(null, chunk);
      },
    });
    try {
      await pipeline(file.stream, measure, createWriteStream(part, { mode: 0o600 }));
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
    return { path: part, size, sha256: hash.digest('hex') };
  }

  /** Moves a received file to its place, once the whole request was right. Returns the place. */
  async keep(file) {
    const place = uploadPath(file.sha256);
    const target = path.join(this.folder, place);
    await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
    await rename(file.path, target);
    return place;
  }
}
