// Applies the theme that was chosen in this browser, before anything is painted. See src/app/theme.ts.
try {
  const chosen = localStorage.getItem('marketplane.theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing follows the system's theme.
}
