// @ts-check
/** What opens over the page: one at a time, closed by Escape, by a click elsewhere, or by a choice. */

import { fill, h } from './dom.js';

/** @type {{ element: HTMLElement, back: Element | null } | null} */
let open = null;

/** Whether something is open. */
export function isOpen() {
  return open !== null;
}

/** Closes what is open and gives the focus back. */
export function close() {
  if (!open) return;
  const { element, back } = open;
  open = null;
  const had = element.contains(document.activeElement);
  element.remove();
  if (had && back instanceof HTMLElement) back.focus({ preventScroll: true });
}

/**
 * Opens an element at a point or under an anchor, kept inside the window.
 * @param {HTMLElement} element
 * @param {{ anchor: Element } | { x: number, y: number }} place
 */
export function openAt(element, place) {
  close();
  open = { element, back: document.activeElement };
  element.classList.add('popup');
  document.body.append(element);
  const rect = 'anchor' in place ? place.anchor.getBoundingClientRect() : null;
  const size = element.getBoundingClientRect();
  let x = rect ? rect.left : 'x' in place ? place.x : 0;
  let y = rect ? rect.bottom + 4 : 'y' in place ? place.y : 0;
  if (x + size.width > innerWidth - 8) x = Math.max(8, rect ? rect.right - size.width : innerWidth - size.width - 8);
  if (y + size.height > innerHeight - 8) y = Math.max(8, innerHeight - size.height - 8);
  element.style.left = `${Math.max(8, x)}px`;
  element.style.top = `${y}px`;
}

document.addEventListener('pointerdown', (event) => {
  if (open && event.target instanceof Node && !open.element.contains(event.target)) close();
}, true);

document.addEventListener('keydown', (event) => {
  if (open && event.key === 'Escape') {
    event.preventDefault();
    event.stopPropagation();
    close();
  }
}, true);

/**
 * @typedef {object} Entry
 * @property {string} text
 * @property {string} [key] shortcut shown at the right
 * @property {boolean} [checked] for a choice among several
 * @property {boolean} [off] cannot be chosen now
 * @property {() => void} act
 */

/**
 * A menu of commands; `null` draws a line.
 * @param {string} name
 * @param {(Entry | null)[]} entries
 * @param {{ anchor: Element } | { x: number, y: number }} place
 */
export function openMenu(name, entries, place) {
  const items = entries.map((entry) => {
    if (!entry) return h('div', { class: 'menu-line', role: 'separator' });
    return h('button', {
      type: 'button', class: 'menu-item', role: entry.checked === undefined ? 'menuitem' : 'menuitemradio',
      'aria-checked': entry.checked === undefined ? null : String(entry.checked), disabled: entry.off,
      on: { click: () => { close(); entry.act(); } },
    }, h('span', { text: entry.text }), entry.key ? h('kbd', { text: entry.key }) : null);
  });
  const menu = h('div', { class: 'menu', role: 'menu', 'aria-label': name }, ...items);
  const buttons = items.filter((item) => item instanceof HTMLButtonElement && !item.disabled);
  menu.addEventListener('keydown', (event) => {
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    event.stopPropagation();
    buttons[(at + step + buttons.length) % buttons.length]?.focus();
  });
  openAt(menu, place);
  (buttons.find((b) => b.getAttribute('aria-checked') === 'true') ?? buttons[0])?.focus();
}

/**
 * @typedef {object} Offer something to complete to
 * @property {string} text
 * @property {string} [detail] at the right
 * @property {number} [weight] 0 to 1: length of the bar behind
 * @property {string} [next] instead of choosing, the field becomes this text
 * @property {string} [group] heading above the first offer of a group
 * @property {any} [value]
 */

/**
 * A field with completion.
 * @param {string} name
 * @param {{ anchor: Element }} place
 * @param {{ text: string, hint: string, offers: (text: string) => Promise<Offer[]>, chosen: (offer: Offer | null, text: string) => void }} how
 *   `chosen` gets null when the reader presses Enter on what no offer stands for
 */
export function openCompletion(name, place, how) {
  const list = h('div', { class: 'offers', role: 'listbox', id: 'offers', 'aria-label': name });
  const input = h('input', {
    type: 'text', class: 'field', role: 'combobox', 'aria-expanded': 'true', 'aria-controls': 'offers', 'aria-label': name, 'aria-autocomplete': 'list',
    placeholder: how.hint, autocomplete: 'off', spellcheck: 'false', value: how.text,
  });
  const box = h('div', { class: 'completion', role: 'dialog', 'aria-label': name }, input, list);
  /** @type {Offer[]} */
  let offers = [];
  let at = -1;
  let asked = 0;

  const mark = (/** @type {number} */ to) => {
    at = to;
    [...list.querySelectorAll('[role=option]')].forEach((option, i) => {
      option.setAttribute('aria-selected', String(i === at));
      if (i === at) {
        option.scrollIntoView({ block: 'nearest' });
        input.setAttribute('aria-activedescendant', option.id);
      }
    });
    if (at < 0) input.removeAttribute('aria-activedescendant');
  };
  const take = (/** @type {Offer | null} */ offer) => {
    if (offer?.next !== undefined) {
      input.value = offer.next;
      input.focus();
      void refresh();
      return;
    }
    close();
    how.chosen(offer, input.value);
  };
  const refresh = async () => {
    const turn = ++asked;
    /** @type {Offer[]} */
    let found;
    try {
      found = await how.offers(input.value);
    } catch (error) {
      if (turn !== asked) return;
      fill(list, h('div', { class: 'offers-none', text: error instanceof Error ? error.message : String(error) }));
      return;
    }
    if (turn !== asked) return;
    offers = found.slice(0, 200);
    let group = '';
    const children = [];
    offers.forEach((offer, i) => {
      if (offer.group && offer.group !== group) children.push(h('div', { class: 'offers-group', role: 'presentation', text: offer.group }));
      group = offer.group ?? group;
      const bar = h('i', { class: 'bar' });
      if (offer.weight !== undefined) bar.style.width = `${Math.max(0, Math.min(1, offer.weight)) * 100}%`;
      children.push(h('div', {
        class: 'offer', role: 'option', id: `offer-${i}`, 'aria-selected': 'false',
        on: { pointermove: () => { if (at !== i) mark(i); }, click: () => take(offer) },
      }, bar, h('span', { text: offer.text }), offer.detail ? h('b', { text: offer.detail }) : null));
    });
    if (found.length > offers.length) children.push(h('div', { class: 'offers-none', text: `${found.length - offers.length} more: type to narrow.` }));
    if (children.length === 0) children.push(h('div', { class: 'offers-none', text: 'Nothing of this name.' }));
    fill(list, ...children);
    mark(offers.length > 0 ? 0 : -1);
  };
  input.addEventListener('input', () => void refresh());
  input.addEventListener('keydown', (event) => {
    event.stopPropagation();
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (offers.length > 0) mark((at + (event.key === 'ArrowDown' ? 1 : -1) + offers.length) % offers.length);
    } else if (event.key === 'Tab' && !event.shiftKey && offers[at]) {
      event.preventDefault();
      take(offers[at] ?? null);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      take(offers[at] ?? null);
    }
  });
  openAt(box, place);
  input.focus();
  input.setSelectionRange(input.value.length, input.value.length);
  void refresh();
}
