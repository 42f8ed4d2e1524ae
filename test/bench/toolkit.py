"""The same as toolkit.ts with Python's multiprocessing: toolkit.py CASE SECONDS. Prints how often a second."""
import sys
import time
from multiprocessing import get_context

STRETCH = 10


def repeat(ready, rate, seconds, do):
    ready.wait()
    begun = time.perf_counter()
    count = 0
    while time.perf_counter() - begun < seconds:
        for i in range(STRETCH):
            do(count + i)
        count += STRETCH
    rate.put(count / (time.perf_counter() - begun))


def take_lock(ready, rate, seconds, lock):
    def once(_):
        lock.acquire()
        lock.release()
    repeat(ready, rate, seconds, once)


def produce(ready, rate, seconds, queue):
    repeat(ready, rate, seconds, queue.put)
    queue.put(None)


def consume(queue):
    item = 0
    while item is not None:
        item = queue.get()
        queue.task_done()


def set_keys(ready, rate, seconds, shared):
    def once(i):
        shared['key'] = i
    repeat(ready, rate, seconds, once)


def increment_key(ready, rate, seconds, shared, lock):
    def once(_):
        with lock:
            shared['key'] += 1
    repeat(ready, rate, seconds, once)


def square(n):
    return n * n


def nothing():
    pass


def in_processes(context, seconds, count, target, *args):
    """Runs the target in so many processes at once, and adds up how often they did it."""
    ready, rate = context.Barrier(count), context.Queue()
    processes = [context.Process(target=target, args=(ready, rate, seconds) + args) for _ in range(count)]
    for process in processes:
        process.start()
    total = sum(rate.get() for _ in processes)
    for process in processes:
        process.join()
    return total


def through_queue(context, seconds, queue):
    ready, rate = context.Barrier(1), context.Queue()
    producer = context.Process(target=produce, args=(ready, rate, seconds, queue))
    producer.start()
    count = 0
    item = queue.get()
    begun = time.perf_counter()
    while item is not None:
        item = queue.get()
        count += 1
    took = time.perf_counter() - begun
    rate.get()
    producer.join()
    return count / took


def through_joinable(context, seconds, queue):
    consumer = context.Process(target=consume, args=(queue,))
    consumer.start()
    queue.put(0)
    queue.join()
    begun = time.perf_counter()
    count = 0
    while time.perf_counter() - begun < seconds:
        for i in range(STRETCH):
            queue.put(i)
        count += STRETCH
    queue.put(None)
    queue.join()
    took = time.perf_counter() - begun
    consumer.join()
    return count / took


def mapped(context, seconds):
    with context.Pool(2) as pool:
        items = range(10000)
        pool.map(square, items)
        begun = time.perf_counter()
        count = 0
        while time.perf_counter() - begun < seconds:
            pool.map(square, items)
            count += len(items)
        return count / (time.perf_counter() - begun)


def started(context, seconds):
    begun = time.perf_counter()
    count = 0
    while time.perf_counter() - begun < seconds:
        process = context.Process(target=nothing)
        process.start()
        process.join()
        count += 1
    return count / (time.perf_counter() - begun)


def with_dict(context, seconds, target, *args):
    with context.Manager() as manager:
        return in_processes(context, seconds, 1, target, manager.dict({'key': 0}), *args)


if __name__ == '__main__':
    case, length = sys.argv[1], float(sys.argv[2])
    fork = get_context('fork')
    cases = {
        'lock': lambda: in_processes(fork, length, 1, take_lock, fork.Lock()),
        'lock-2': lambda: in_processes(fork, length, 2, take_lock, fork.Lock()),
        'queue': lambda: through_queue(fork, length, fork.Queue()),
        'queue-10': lambda: through_queue(fork, length, fork.Queue(10)),
        'joinable': lambda: through_joinable(fork, length, fork.JoinableQueue()),
        'dict-set': lambda: with_dict(fork, length, set_keys),
        'dict-increment': lambda: with_dict(fork, length, increment_key, fork.Lock()),
        'pool': lambda: mapped(fork, length),
        'process': lambda: started(fork, length),
        'process-spawn': lambda: started(get_context('spawn'), length),
    }
    print(cases[case]())
