/** Now, as Kubernetes writes a `MicroTime`. */
export function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
