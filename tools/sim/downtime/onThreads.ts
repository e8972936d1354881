/** Sets of trials, each on a thread of its own, on as many at once as there are cores. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

/** @returns answers in the order of the tasks */
export async function onThreads<Task extends object, Answer>(
  worker: URL,
  tasks: readonly Task[],
  done: (task: Task) => void,
): Promise<Answer[]> {
  const waiting = tasks.map((task, index) => ({ task, index }));
  const answers: Answer[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      answers[next.index] = await answerOf<Answer>(worker, next.task);
      done(next.task);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return answers;
}

function answerOf<Answer>(url: URL, task: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(url, { workerData: task });
    worker.once("message", resolve).once("error", reject);
  });
}
