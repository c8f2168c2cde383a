//! A request carries a key and a signature: it goes to the venue that was named, and to nobody else.

use super::{NOW, Rig, placement, rig, subject};
use crate::binance::Binance;
use crate::venue::{Venue, VenueError};
use axum::Router;
use axum::http::{StatusCode, header::LOCATION};
use axum::response::IntoResponse;
use domain::Timestamp;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// An adapter to a venue that answers everything with this status and the way to that address, and word of each request.
async fn sent_on(status: u16, target: String) -> (Binance, mpsc::UnboundedReceiver<()>) {
    let (asked, requests) = mpsc::unbounded_channel();
    let answer = move || {
        let _ = asked.send(());
        let status = StatusCode::from_u16(status).unwrap();
        let response = (
            status,
            [(LOCATION, target.clone())],
            r#"{"code": -2010, "msg": "moved"}"#,
        )
            .into_response();
        std::future::ready(response)
    };
    let router = Router::new().fallback(answer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rest_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (super::adapter(rest_url), requests)
}

/// How much the other place was asked for, by REST and over WebSockets.
fn arrived(elsewhere: &Rig) -> (usize, usize) {
    let script = &elsewhere.script;
    (script.requests.lock().len(), script.subscriptions.lock().len())
}

#[tokio::test]
async fn no_redirect_is_followed_and_none_is_a_refusal() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = rig().await;
        let target = format!("{}/api/v3/order", elsewhere.venue.rest_url);
        let (venue, mut requests) = sent_on(status, target).await;
        // An order that may have been placed, or a cancel that may have been carried out, is asked for.
        let answers = [
            venue.place(&placement()).await,
            venue.cancel(&subject(), Timestamp::from_millis(NOW)).await,
            venue.order(&subject()).await,
        ];
        for answer in answers {
            assert!(matches!(answer, Err(VenueError::Unknown(_))), "{status}: {answer:?}");
            assert_eq!(requests.try_recv(), Ok(()), "{status}: each was sent once");
        }
        assert!(requests.is_empty(), "{status}");
        assert_eq!(arrived(&elsewhere), (0, 0), "{status}");
    }
}

#[tokio::test]
async fn a_subscription_is_not_made_elsewhere() {
    let elsewhere = rig().await;
    // It would be read there, and the connection kept.
    elsewhere.script.frames.lock().push_back(None);
    let (venue, mut requests) = sent_on(307, elsewhere.venue.ws_api_url.clone()).await;
    let (sink, news) = mpsc::channel(1);
    let following = tokio::spawn(async move { venue.follow(vec![super::account()], sink).await });
    // It comes back to the venue that was named, a second time too.
    for _ in 0..3 {
        tokio::time::timeout(Duration::from_secs(10), requests.recv())
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(arrived(&elsewhere), (0, 0));
    assert_eq!(elsewhere.script.frames.lock().len(), 1, "nobody has even connected");
    drop(news);
    following.await.unwrap();
}
