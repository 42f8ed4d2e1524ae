"""The same as toolkit.ts with Python's multiprocessing: toolkit.py CASE SECONDS. Prints how often a second."""
import sys
from multiprocessing import get_context
from time import perf_counter

STRETCH = 10
LONG_STRETCH = 100
SEVERAL = 3
POOL_ITEMS = range(10000)


def phases(seconds):
    """Warm up for half as long, then measure: as toolkit-work.ts."""
    return (seconds / 2, seconds)


def repeat(ready, rate, seconds, do):
    ready.wait()
    done = 0
    for length in phases(seconds):
        before = done
        begun = perf_counter()
        while perf_counter() - begun < length:
            for _ in range(STRETCH):
                do(done)
                done += 1
        took = perf_counter() - begun
    rate.put((done - before) / took)


def take_lock(ready, rate, seconds, lock):
    ready.wait()
    for length in phases(seconds):
        count = 0
        begun = perf_counter()
        while perf_counter() - begun < length:
            for _ in range(LONG_STRETCH):
                lock.acquire()
                lock.release()
            count += LONG_STRETCH
        took = perf_counter() - begun
    rate.put(count / took)


def put_all(queue, getters, seconds):
    """-1 to warm up, then numbers, then None for each getter."""
    count = 0
    for length in phases(seconds):
        begun = perf_counter()
        while perf_counter() - begun < length:
            for _ in range(STRETCH):
                if length == seconds:
                    queue.put(count)
                    count += 1
                else:
                    queue.put(-1)
    for _ in range(getters):
        queue.put(None)
    return count


def take_all(queue, in_order):
    count = total = begun = 0
    joinable = hasattr(queue, 'task_done')
    while True:
        item = queue.get()
        if joinable:
            queue.task_done()
        if item is None:
            return count, total, perf_counter() - begun
        if item < 0:
            continue
        if in_order and item != count:
            raise ValueError(f'item {count} came as {item}')
        if count == 0:
            begun = perf_counter()
        count += 1
        total += item


def produce(ready, results, queue, getters, seconds):
    ready.wait()
    results.put(put_all(queue, getters, seconds))


def consume(ready, results, queue, in_order):
    ready.wait()
    results.put(take_all(queue, in_order))


def set_keys(ready, rate, seconds, shared):
    def once(i):
        shared['key'] = i
    repeat(ready, rate, seconds, once)


def get_keys(ready, rate, seconds, shared):
    repeat(ready, rate, seconds, lambda _: shared['key'])


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


def through_queue(context, seconds, queue, getters=0, puts_here=False):
    """getters: how many processes take, 0: this one does. puts_here: whether this one puts."""
    in_order = getters <= 1
    ready = context.Barrier(getters + 1 + (0 if puts_here else 1))
    taken, put = context.Queue(), context.Queue()
    processes = [context.Process(target=consume, args=(ready, taken, queue, in_order)) for _ in range(getters)]
    if not puts_here:
        processes.append(context.Process(target=produce, args=(ready, put, queue, getters or 1, seconds)))
    for process in processes:
        process.start()
    ready.wait()
    total = put_all(queue, getters or 1, seconds) if puts_here else None
    results = [taken.get() for _ in range(getters)] if getters else [take_all(queue, in_order)]
    if total is None:
        total = put.get()
    if hasattr(queue, 'join'):
        queue.join()
    for process in processes:
        process.join()
    counted, added = sum(r[0] for r in results), sum(r[1] for r in results)
    if counted != total or added != total * (total - 1) // 2:
        raise ValueError(f'{total} items were put, and {counted} taken')
    return total / max(r[2] for r in results)


def mapped(context, seconds):
    with context.Pool(2) as pool:
        for length in phases(seconds):
            begun = perf_counter()
            count = 0
            while perf_counter() - begun < length:
                squares = pool.map(square, POOL_ITEMS)
                count += len(POOL_ITEMS)
            rate = count / (perf_counter() - begun)
            if squares != [n * n for n in POOL_ITEMS]:
                raise ValueError('wrong squares')
        return rate


def started(context, seconds):
    begun = perf_counter()
    count = 0
    while perf_counter() - begun < seconds:
        process = context.Process(target=nothing)
        process.start()
        process.join()
        count += 1
    return count / (perf_counter() - begun)


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
        'children': lambda: through_queue(fork, length, fork.Queue(), getters=1),
        'children-10': lambda: through_queue(fork, length, fork.Queue(10), getters=1),
        'getters': lambda: through_queue(fork, length, fork.Queue(), getters=SEVERAL, puts_here=True),
        'getters-10': lambda: through_queue(fork, length, fork.Queue(10), getters=SEVERAL, puts_here=True),
        'joinable': lambda: through_queue(fork, length, fork.JoinableQueue(), getters=1, puts_here=True),
        'dict-set': lambda: with_dict(fork, length, set_keys),
        'dict-get': lambda: with_dict(fork, length, get_keys),
        'dict-increment': lambda: with_dict(fork, length, increment_key, fork.Lock()),
        'pool': lambda: mapped(fork, length),
        'process': lambda: started(fork, length),
        'process-spawn': lambda: started(get_context('spawn'), length),
    }
    print(cases[case]())
