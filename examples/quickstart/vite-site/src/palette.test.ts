import { expect, test } from 'vitest';
import { colourOf, ink, palette } from './palette';

test('reads the colour from the path', () => {
  expect(colourOf('/c/3366CC')).toBe('3366cc');
  expect(colourOf('/')).toBeNull();
  expect(colourOf('/c/red')).toBeNull();
});

test('goes from light to dark around the colour', () => {
  expect(palette('808080', 1)).toEqual(['c0c0c0', '808080', '404040']);
  expect(palette('3366cc')).toHaveLength(7);
});

test('ink can be read', () => {
  expect(ink('ffffff')).toBe('#000');
  expect(ink('000033')).toBe('#fff');
});
