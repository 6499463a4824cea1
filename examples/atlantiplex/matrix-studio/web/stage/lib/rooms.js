'use strict';

/** Who is in which room. Knows nothing of sockets: a member is anything with `send(message)`. */
class Rooms {
  constructor({ limit = 200 } = {}) {
    this.limit = limit;
    this.rooms = new Map();
  }

  join(room, member, name) {
    const members = this.rooms.get(room) ?? new Map();
    if (members.size >= this.limit) return false;
    members.set(member, name);
    this.rooms.set(room, members);
    this.broadcastPresence(room);
    return true;
  }

  leave(room, member) {
    const members = this.rooms.get(room);
    if (!members?.delete(member)) return;
    if (members.size === 0) this.rooms.delete(room);
    else this.broadcastPresence(room);
  }

  say(room, member, text) {
    const name = this.rooms.get(room)?.get(member);
    if (name === undefined) return;
    this.broadcast(room, { type: 'said', room, name, text, at: new Date().toISOString() });
  }

  broadcastPresence(room) {
    this.broadcast(room, { type: 'presence', room, names: this.names(room) });
  }

  broadcast(room, message) {
    for (const member of this.rooms.get(room)?.keys() ?? []) member.send(message);
  }

  names(room) {
    return [...(this.rooms.get(room)?.values() ?? [])].sort();
  }

  list() {
    return [...this.rooms.keys()].sort().map((room) => ({ room, names: this.names(room) }));
  }
}

module.exports = { Rooms };
