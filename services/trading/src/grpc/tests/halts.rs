//! Halts: which shards they concern, and that they survive a restart.

use super::refusals::{invalid, plain, reason};
use super::*;
use mesh::error::Kind;

#[tokio::test]
async fn halts_concern_their_shards_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bench = start(folder.path(), None).await;
    let halt = |scope: pb::HaltScope, target: &str, why: &str| pb::HaltTradingRequest {
        scope: scope as i32,
        target: target.into(),
        reason: why.into(),
        request_id: String::new(),
    };
    use pb::HaltScope::{Account, Global, Symbol, Unspecified};
    for (request, field) in [
        (halt(Unspecified, "", "drill"), "scope"),
        (halt(Global, "x", "drill"), "target"),
        (halt(Global, "", ""), "reason"),
        (halt(Account, "", "drill"), "target"),
        (halt(Symbol, "btc", "drill"), "target"),
    ] {
        assert_eq!(
            reason(bench.client().halt_trading(bench.ask(request)).await),
            invalid(field)
        );
    }
    let unknown = halt(Account, "nobody", "drill");
    assert_eq!(
        reason(bench.client().halt_trading(bench.ask(unknown)).await),
        plain(Kind::NotFound, "ACCOUNT_NOT_FOUND")
    );
    for request in [
        halt(Global, "", "drill"),
        halt(Account, "paper-2", "drill"),
        halt(Symbol, "BTCUSDT", "drill"),
    ] {
        let set = bench
            .client()
            .halt_trading(bench.ask(request))
            .await
            .unwrap()
            .into_inner()
            .halt
            .unwrap();
        assert_eq!((set.subject.as_str(), set.reason.as_str()), ("ada", "drill"));
    }
    let venue = bench.stop().await;

    let clock = Clock::system();
    let bed = Bed::new(folder.path(), clock.clone(), Chance::seeded(2));
    bed.register("data", Routes::new(MarketDataServiceServer::new(StillMarket)));
    let deps = bed.deps("trading");
    let readiness = deps.readiness.clone();
    let service = build_on(config(), deps, venue.clone(), accounts()).await.unwrap();
    bed.register("trading", service.routes);
    readiness.ready().await;
    let bench = Bench {
        bed,
        venue,
        clock,
        readiness,
    };
    assert!(bench.readiness.is_ready());
    let halts = bench
        .client()
        .list_halts(bench.ask(pb::ListHaltsRequest {}))
        .await
        .unwrap()
        .into_inner()
        .halts;
    let halts: Vec<_> = halts.iter().map(|halt| (halt.scope(), halt.target.as_str())).collect();
    assert_eq!(halts, [(Global, ""), (Account, "paper-2"), (Symbol, "BTCUSDT")]);
    assert_eq!(
        reason(bench.client().submit_order(bench.ask(submit("h", "1", "99"))).await),
        plain(Kind::Refused, "TRADING_HALTED")
    );
    for (scope, target) in [(Global, ""), (Symbol, "BTCUSDT")] {
        let resume = pb::ResumeTradingRequest {
            scope: scope as i32,
            target: target.into(),
            request_id: String::new(),
        };
        bench.client().resume_trading(bench.ask(resume)).await.unwrap();
    }
    bench.quoted().await;
    bench.place("free", "1", "99").await;
    bench.stop().await;
}
