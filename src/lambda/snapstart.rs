//! SnapStart: what happens between the end of the initialization and the first event.

use super::{
    client::{BoxError, Client, full},
    post::{self, describe},
    stopped,
};
use crate::{
    error::{Error, Result},
    guard::{Guarded, guarded},
};
use bytes::Bytes;
use http::Method;
use lambda_runtime::SnapStartResource;
use std::sync::Arc;

/// Runs the resources' hooks before the snapshot, waits until the snapshot is restored, and runs
/// their hooks after it. The order is lambda_runtime's: the hooks before the snapshot run in
/// reverse order of registration.
///
/// # Errors
///
/// The failure, which has been reported to the Runtime API.
pub(super) async fn restored(
    client: &Client,
    resources: &[Arc<dyn SnapStartResource>],
) -> Result<()> {
    if let Err(error) = until_restored(client, resources).await {
        post::init_error(client, &error).await;
        return Err(error);
    }
    // Connections do not survive a snapshot.
    client.close_idle();
    for resource in resources {
        if let Err(error) = hook(|| resource.after_restore(), "Runtime.AfterRestoreError").await {
            post::restore_error(client, &error).await;
            return Err(error);
        }
    }
    Ok(())
}

async fn until_restored(client: &Client, resources: &[Arc<dyn SnapStartResource>]) -> Result<()> {
    for resource in resources.iter().rev() {
        hook(|| resource.before_snapshot(), "Runtime.BeforeSnapshotError").await?;
    }
    let (status, body) = next(client)
        .await
        .map_err(|error| stopped(describe(&*error)))?;
    if status.is_success() {
        Ok(())
    } else {
        Err(stopped(post::rejection(status, &body)))
    }
}

/// Waits until the snapshot is restored. The API holds the request until then, so there is no time
/// limit.
async fn next(client: &Client) -> Result<(http::StatusCode, Bytes), BoxError> {
    let request = client.request(Method::GET, &["/restore/next"], full(Bytes::new()))?;
    post::read_reply(client.call(request).await?).await
}

/// Runs a resource's hook, which may panic.
async fn hook<F, E>(hook: impl FnOnce() -> F, error_type: &'static str) -> Result<()>
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    let future = guarded(hook).map_err(Error::panic)?;
    let ended = Guarded::new(Box::pin(future)).await.map_err(Error::panic)?;
    ended.map_err(|error| {
        let error: BoxError = error.into();
        Error::ours(error_type, describe(&*error))
    })
}
