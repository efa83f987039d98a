/** The theme: the system's, unless another was chosen in this browser. public/theme.js applies it at the next load. */
export type Theme = 'system' | 'light' | 'dark';

const KEY = 'marketplane.theme';

export function chosenTheme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  return chosen === 'light' || chosen === 'dark' ? chosen : 'system';
}

export function chooseTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // The browser keeps nothing: the choice holds until the page is closed.
  }
}
