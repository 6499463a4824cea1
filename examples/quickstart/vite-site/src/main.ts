import './style.css';
import { colourOf, ink, palette } from './palette';

const app = document.querySelector<HTMLElement>('#app')!;
const START = '3366cc';

function show(hex: string): void {
  const input = document.createElement('input');
  input.type = 'color';
  input.value = `#${hex}`;
  input.addEventListener('change', () => {
    const chosen = input.value.slice(1);
    history.pushState(null, '', `/c/${chosen}`);
    show(chosen);
  });
  const swatches = palette(hex).map((colour) => {
    const swatch = document.createElement('div');
    swatch.className = 'swatch';
    swatch.style.background = `#${colour}`;
    swatch.style.color = ink(colour);
    swatch.textContent = `#${colour}`;
    return swatch;
  });
  app.replaceChildren(input, ...swatches);
}

const showAddress = () => show(colourOf(location.pathname) ?? START);
window.addEventListener('popstate', showAddress);
showAddress();
