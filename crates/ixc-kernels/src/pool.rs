//! The threads that share the work of one kernel.
//!
//! A decoder step is hundreds of short kernels: workers wait for the next one awake for about a
//! millisecond before they sleep, and nobody waits for a worker that is late. Tasks are numbered and taken
//! in order by whoever is free; what a task computes must not depend on who takes it, so results do not
//! depend on the number of threads. A kernel inside a task, or while another thread's kernel has the
//! workers, runs on its caller alone. Deliberately absent: queues, futures, work stealing.

use std::{
    any::Any,
    cell::Cell,
    hint::spin_loop,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

/// How long a worker stays awake for the next kernel.
const AWAKE: Duration = Duration::from_millis(1);

/// Looks at the gate between two looks at the clock.
const SPINS: usize = 256;

/// Threads at most: far above any machine this is for.
const THREADS_MAX: usize = 256;

/// The gate counts kernels in its upper bits, twice each: odd while the kernel's tasks may be taken, even
/// when no worker may come in any more. Below is how many workers are inside.
const KERNEL: u64 = 1 << 16;

struct Pool {
    gate: AtomicU64,
    /// What the open kernel does: read by workers that are inside, written by the caller when none is.
    job: Mutex<Job>,
    next: AtomicUsize,
    failure: Mutex<Option<Box<dyn Any + Send>>>,
    /// Held by the thread whose kernel has the workers.
    busy: Mutex<()>,
    /// Workers started so far; those beyond the limit stay asleep.
    workers: Mutex<Vec<Thread>>,
    limit: AtomicUsize,
    asleep: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Job {
    work: Option<&'static (dyn Fn(usize) + Sync)>,
    tasks: usize,
}

thread_local! {
    /// Whether this thread is doing a task.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| Pool {
        gate: AtomicU64::new(0),
        job: Mutex::new(Job { work: None, tasks: 0 }),
        next: AtomicUsize::new(0),
        failure: Mutex::new(None),
        busy: Mutex::new(()),
        workers: Mutex::new(Vec::new()),
        limit: AtomicUsize::new(thread::available_parallelism().map_or(1, usize::from)),
        asleep: AtomicUsize::new(0),
    })
}

/// How many threads share a kernel, the caller's included: as many as the machine has, until said otherwise.
pub fn threads() -> usize {
    pool().limit.load(Ordering::Relaxed)
}

/// Shares kernels among so many threads from now on, at least 1.
pub fn set_threads(count: usize) {
    pool().limit.store(count.clamp(1, THREADS_MAX), Ordering::Relaxed);
}

/// Runs `work(0)` to `work(tasks - 1)`, shared among the threads; returns when all have ended.
///
/// # Panics
/// When a task panics, with its message, after the others have ended.
pub fn run(tasks: usize, work: &(dyn Fn(usize) + Sync)) {
    let pool = pool();
    let threads = threads();
    if tasks <= 1 || threads == 1 || INSIDE.get() {
        return (0..tasks).for_each(work);
    }
    let Ok(busy) = pool.busy.try_lock() else {
        return (0..tasks).for_each(work);
    };
    pool.start_workers(threads - 1);
    // SAFETY: the reference is used only by tasks, and `Closing` waits, on every way out of this
    // function, until no worker is inside and none can come in: so it is not used after its lifetime.
    let work: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(work) };
    *pool.job.lock().expect("no panic while held") = Job { work: Some(work), tasks };
    pool.next.store(0, Ordering::Relaxed);
    pool.gate.fetch_add(KERNEL, Ordering::SeqCst); // odd: open
    if pool.asleep.load(Ordering::SeqCst) > 0 {
        let workers = pool.workers.lock().expect("no panic while held");
        workers.iter().take(threads - 1).for_each(Thread::unpark);
    }
    let closing = Closing(pool);
    pool.take(work, tasks);
    drop(closing);
    let failure = pool.failure.lock().expect("no panic while held").take();
    drop(busy);
    if let Some(failure) = failure {
        resume_unwind(failure);
    }
}

/// Closes the gate when dropped, and waits until no worker is inside.
struct Closing<'a>(&'a Pool);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut gate = self.0.gate.fetch_add(KERNEL, Ordering::SeqCst) + KERNEL; // even: closed
        let mut spins = 0usize;
        while !gate.is_multiple_of(KERNEL) {
            spins += 1;
            if spins.is_multiple_of(1 << 14) {
                thread::yield_now()
            } else {
                spin_loop()
            }
            gate = self.0.gate.load(Ordering::SeqCst);
        }
    }
}

impl Pool {
    fn start_workers(&'static self, wanted: usize) {
        let mut workers = self.workers.lock().expect("no panic while held");
        while workers.len() < wanted {
            let index = workers.len();
            let builder = thread::Builder::new().name(format!("kernel {}", index + 1));
            // Without the thread the others do its work.
            let Ok(handle) = builder.spawn(move || self.serve(index)) else { return };
            workers.push(handle.thread().clone());
        }
    }

    /// Takes tasks until none is left. A panic is kept for the caller, and the rest is done all the same.
    fn take(&self, work: &(dyn Fn(usize) + Sync), tasks: usize) {
        INSIDE.set(true);
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                break;
            }
            if let Err(failure) = catch_unwind(AssertUnwindSafe(|| work(task))) {
                *self.failure.lock().expect("no panic while held") = Some(failure);
            }
        }
        INSIDE.set(false);
    }

    /// A worker's life.
    fn serve(&self, index: usize) {
        let mut last = 0;
        loop {
            let kernel = self.wait(index, last);
            if self.enter(kernel) {
                let job = *self.job.lock().expect("no panic while held");
                if let Some(work) = job.work {
                    self.take(work, job.tasks);
                }
                self.gate.fetch_sub(1, Ordering::SeqCst);
            }
            last = kernel;
        }
    }

    /// Waits for a kernel other than `last` whose gate is open; returns its number.
    fn wait(&self, index: usize, last: u64) -> u64 {
        let open = || {
            let kernel = self.gate.load(Ordering::SeqCst) / KERNEL;
            let mine = index + 1 < self.limit.load(Ordering::Relaxed);
            (mine && kernel % 2 == 1 && kernel != last).then_some(kernel)
        };
        let since = Instant::now();
        loop {
            for _ in 0..SPINS {
                if let Some(kernel) = open() {
                    return kernel;
                }
                spin_loop();
            }
            if since.elapsed() > AWAKE {
                self.asleep.fetch_add(1, Ordering::SeqCst);
                // Looked at once more after saying so: a caller that did not see it has opened before.
                let found = open();
                if found.is_none() {
                    thread::park();
                }
                self.asleep.fetch_sub(1, Ordering::SeqCst);
                if let Some(kernel) = found.or_else(open) {
                    return kernel;
                }
            }
        }
    }

    /// Comes in while that kernel is open.
    fn enter(&self, kernel: u64) -> bool {
        let mut gate = self.gate.load(Ordering::SeqCst);
        while gate / KERNEL == kernel {
            match self.gate.compare_exchange_weak(
                gate,
                gate + 1,
                Ordering::SeqCst,
                Ordering::SeqCst,
            ) {
                Ok(_) => return true,
                Err(now) => gate = now,
            }
        }
        false
    }
}

/// Rows of a matrix that tasks write to side by side: each task a part of its own.
#[derive(Clone, Copy, Debug)]
pub struct Shared<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: the parts that are handed out do not overlap (the promise of `part`), so no two threads touch
// the same element.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Over a slice, which must not be used until all tasks have ended.
    pub fn new(slice: &mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len() }
    }

    /// How many elements there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first element.
    pub(crate) fn start(&self) -> *mut T {
        self.start
    }

    /// Elements `start..start + len`.
    ///
    /// # Safety
    /// No other task's part overlaps it, and the slice it came from outlives the part.
    ///
    /// # Panics
    /// When the part is not within the slice.
    pub unsafe fn part<'a>(&self, start: usize, len: usize) -> &'a mut [T] {
        assert!(start <= self.len && len <= self.len - start, "a part within the slice");
        // SAFETY: within the slice, and nobody else's, as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}

/// Runs `work` on parts of `slice` of `size` elements each (the last may be shorter), with the part's
/// number.
pub fn run_parts<T: Send>(slice: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let len = slice.len();
    let shared = Shared::new(slice);
    run(len.div_ceil(size), &|task| {
        let start = task * size;
        // SAFETY: each task takes the elements of its own number.
        work(task, unsafe { shared.part(start, size.min(len - start)) });
    });
}
