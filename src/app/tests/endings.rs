//! How a process ends, and services without a process.

use std::sync::Arc;
use std::time::Duration;

use crate::app::AppConfig;
use crate::app::Deps;
use crate::app::Service;
use crate::app::exit_code;
use crate::app::testing::Bed;
use crate::error::Error;
use crate::error::Result;
use crate::pb::risk::GetLimitsRequest;
use crate::pb::risk::risk_service_client::RiskServiceClient;
use crate::time::Chance;
use crate::time::Clock;

use super::{add_monitoring, app, config, monitoring, risk};

#[tokio::test]
async fn a_failed_task_ends_the_process_with_its_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut app = app(config(folder.path()));
    app.add("monitoring", |deps| async move {
        deps.shutdown.spawn("journal", async {
            Err(Error::internal("FSYNC_FAILED", "the disk is gone"))
        });
        Ok(Service::new("monitoring", monitoring()))
    });
    let running = app.start().await.unwrap();
    let error = running.run_until_signal().await.unwrap_err();
    assert_eq!((error.reason(), exit_code(&error)), ("FSYNC_FAILED", 1));
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut app = app(config(folder.path()));
    add_monitoring(&mut app);
    let running = app.start().await.unwrap();
    running.run_until(std::future::ready(())).await.unwrap();
}

#[tokio::test]
async fn the_process_ends_in_order_calls_first_and_tasks_last() {
    let folder = tempfile::tempdir().unwrap();
    let order: Arc<parking_lot::Mutex<Vec<&'static str>>> = Arc::default();
    let mut app = app(AppConfig {
        stop_ms: 10,
        ..config(folder.path())
    });
    let noted = order.clone();
    app.add("monitoring", |deps: Deps| async move {
        let (draining, stopping) = (deps.shutdown.draining(), deps.shutdown.token());
        deps.shutdown.spawn("order", async move {
            draining.cancelled().await;
            noted.lock().push("draining");
            stopping.cancelled().await;
            noted.lock().push("stopping");
            Ok(())
        });
        deps.shutdown.spawn("stubborn", std::future::pending::<Result<()>>());
        Ok(Service::new("monitoring", monitoring()))
    });
    let running = app.start().await.unwrap();
    let handle = running.shutdown_handle();
    let in_process = running.in_process().clone();
    running.shutdown().await;
    assert_eq!(*order.lock(), ["draining", "stopping"]);
    assert!(handle.token().is_cancelled());
    assert!(
        crate::registry::Registry::watch(&in_process, "monitoring")
            .borrow()
            .is_empty()
    );
}

#[tokio::test]
async fn a_bed_runs_services_without_ports() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, _) = Clock::manual(1_000_000_000_000_000);
    let bed = Bed::new(folder.path(), clock.clone(), Chance::seeded(1));
    bed.register("monitoring", monitoring());
    let deps = bed.deps("risk");
    assert!(deps.data_dir.is_dir() && deps.store.url.contains("risk.db"));
    bed.register("risk", risk(&deps));
    let token = bed.users.token(&clock, "ada", &["trader"], &["paper-1"]);
    let caller = crate::identity::Caller {
        principal: bed.verifier.verify(&token).unwrap(),
        token: token.into(),
    };
    let mut client = RiskServiceClient::new(bed.channels("gateway").to("risk"));
    let calling = client.get_limits(GetLimitsRequest {
        account_id: "paper-1".to_owned(),
    });
    crate::identity::with(Some(caller), calling).await.unwrap();
    assert!(bed.shutdown().stop(Duration::from_secs(1)).await.is_empty());
}
