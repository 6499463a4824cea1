'use strict';

function problem(status, message) {
  return Object.assign(new Error(message), { status });
}

function readNote(body) {
  const title = String(body?.title ?? '').trim();
  if (title === '' || title.length > 200) throw problem(400, 'title: 1 to 200 characters');
  return { title, body: String(body.body ?? '') };
}

function readId(text) {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw problem(404, 'not_found');
  return Number(text);
}

module.exports = { readNote, readId };
