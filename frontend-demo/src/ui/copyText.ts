/** Copies a text. On pages without TLS, browsers have no `navigator.clipboard`. */
export async function copyText(text: string): Promise<void> {
  // The types assume TLS.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard) return clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.className = 'unseen';
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}
