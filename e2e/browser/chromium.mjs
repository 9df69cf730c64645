/** The browser the tests drive: the system's Chromium, silent towards the network. */

import { chromium } from 'playwright-core';

export function launch() {
  return chromium.launch({
    // Scroll bars as readers see them.
    ignoreDefaultArgs: ['--hide-scrollbars'],
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}
