/** Time that this thread has had a processor for, ms: what others on a busy machine take does not count. */
export function processorMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
