//! Ctrl-C, the end of the terminal and SIGTERM end the demonstration as a failure would: everything is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Result, bail};
use tokio::signal::unix::{SignalKind, signal};

/// Whether somebody wants the demonstration to end.
#[derive(Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. Where that is not possible, signals act as ever.
    pub fn listen() -> Self {
        let come = Arc::new(AtomicBool::new(false));
        let seen = come.clone();
        thread::spawn(move || -> std::io::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut interrupted = signal(SignalKind::interrupt())?;
                let mut hung_up = signal(SignalKind::hangup())?;
                let mut terminated = signal(SignalKind::terminate())?;
                tokio::select! {
                    _ = interrupted.recv() => {}
                    _ = hung_up.recv() => {}
                    _ = terminated.recv() => {}
                }
                seen.store(true, Ordering::Relaxed);
                Ok(())
            })
        });
        Self(come)
    }

    /// Whether a signal has come.
    pub fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Turns it into an error.
    pub fn check(&self) -> Result<()> {
        if self.has_come() {
            bail!("interrupted");
        }
        Ok(())
    }
}
