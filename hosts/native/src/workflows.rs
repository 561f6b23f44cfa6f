//! Runs the workflows that objects start.

use std::sync::Arc;

use selvage_gateway::Workflows;
use tokio::sync::Semaphore;

use crate::host::NativeHost;
use crate::http::Stop;

/// The most workflows that run at once; others wait. Each waits for other servers most of its time.
const RUNNING_MAX: usize = 512;

/// Runs what objects start until the server stops. Workflows under way are cut off then: they can be stopped anywhere, and
/// their objects start them again.
pub(crate) async fn run(workflows: Workflows<NativeHost>, stop: Stop) {
    let Some(mut started) = workflows.host().take_started() else {
        return;
    };
    let places = Arc::new(Semaphore::new(RUNNING_MAX));
    loop {
        let next = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((started.recv().await?, place))
        };
        let next = tokio::select! {
            next = next => next,
            () = stop.wait() => None,
        };
        let Some((workflow, place)) = next else {
            return;
        };
        let workflows = workflows.clone();
        tokio::spawn(async move {
            workflows.run(&workflow).await;
            drop(place);
        });
    }
}
