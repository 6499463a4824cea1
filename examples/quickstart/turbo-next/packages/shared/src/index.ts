export interface Room {
  id: string;
  name: string;
  seats: number;
  /** In cents. */
  hourly: number;
}

/** From the fifth hour on an hour costs three quarters. */
export function quote(room: Room, hours: number): number {
  const reduced = Math.max(0, hours - 4);
  return Math.round(room.hourly * (hours - reduced) + room.hourly * 0.75 * reduced);
}

export function euros(cents: number): string {
  return `${(cents / 100).toFixed(2)} €`;
}
