//! A world of the embedded cloud, with the functions' handlers in it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use embedded_cloud::Cloud;
use ensure::Wanted;
use image_replicator::aws::Aws;
use image_replicator::engine::Replicator;
use image_replicator::settings::Settings;
use serde_json::{Value, json};

/// The private registry of the embedded cloud.
pub const PRIVATE: &str = "111122223333.dkr.ecr.us-east-1.amazonaws.com";
/// The password that Docker Hub's user `ci` has.
pub const PASSWORD: &str = "dckr_pat_never_in_a_log";

/// The function that is woken up.
const REFRESH: &str = "arn:aws:lambda:us-east-1:111122223333:function:image-replicator-refresh";

/// The embedded cloud, and settings that point at it.
pub struct World {
    /// The cloud.
    pub cloud: Cloud,
    settings: BTreeMap<String, String>,
}

impl World {
    /// A cloud with a Docker Hub user `ci`, whose credential is in a secret, and no catalogue yet.
    pub async fn start() -> Self {
        let cloud = Cloud::start().await;
        cloud.hub.add_user("ci", PASSWORD);
        let mut world = Self {
            settings: cloud.environment().into_iter().collect(),
            cloud,
        };
        let secret = json!({"username": "ci", "accessToken": PASSWORD});
        world.cloud.secrets.put("docker-hub", &secret.to_string());
        world.set("REPLICATOR_DOCKER_HUB_SECRET", "docker-hub");
        world
    }

    /// Sets an environment variable.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Puts `yaml` into the Parameter Store, as the catalogue.
    pub fn catalogue(&mut self, yaml: &str) {
        self.cloud
            .parameters
            .put("/image-replicator/catalogue/default", yaml);
        self.set("REPLICATOR_CATALOGUE", "ssm:/image-replicator/catalogue");
    }

    /// Puts a queue between `refresh` and `replicate`, and gives its address.
    pub fn queue(&mut self) -> String {
        let url = self.cloud.sqs.create_fifo_queue("copies", 5400);
        self.set("REPLICATOR_QUEUE_URL", &url);
        url
    }

    /// Has what is put off wake `refresh` up.
    pub fn wake_up(&mut self) {
        self.set("REPLICATOR_WAKE_UP_FUNCTION", REFRESH);
        self.set(
            "REPLICATOR_WAKE_UP_ROLE",
            "arn:aws:iam::111122223333:role/image-replicator-wake-up",
        );
    }

    /// Moves the clock on to the next wake-up and gives it to `refresh`; `None` when there is none.
    pub async fn wait_for_wake_up(&self) -> Option<Value> {
        let at = self.cloud.scheduler.schedules().first()?.at;
        let wait = at.duration_since(self.cloud.clock.now());
        self.cloud
            .clock
            .advance(Duration::try_from(wait).unwrap_or_default());
        let (function, event) = self.cloud.scheduler.next_due()?;
        assert_eq!(function, REFRESH);
        Some(self.refresh_with(event).await.expect("the refresh answers"))
    }

    /// The environment of a function in this world.
    pub fn environment(&self) -> impl Iterator<Item = (&String, &String)> {
        self.settings.iter()
    }

    /// A replicator that has just been started.
    pub fn replicator(&self) -> Replicator {
        let settings = Settings::from_lookup(|name| self.settings.get(name).cloned())
            .expect("the settings are good");
        let replicator = Replicator::new(settings, Aws::emulated_at(self.cloud.control_plane()));
        let clock = self.cloud.clock.clone();
        replicator
            .expect("the replicator starts")
            .on(Box::new(move || clock.now()))
    }

    /// Gives `event` to `refresh`.
    pub async fn refresh_with(&self, event: Value) -> Result<Value, String> {
        let report = refresh::handle(&event, "request", in_time(), &self.replicator()).await;
        report
            .map(|report| json!(report))
            .map_err(|error| error.chain())
    }

    /// Refreshes the catalogue, as on a schedule.
    pub async fn refresh(&self) -> Value {
        self.refresh_with(json!({}))
            .await
            .expect("the refresh answers")
    }

    /// Refreshes these images alone.
    pub async fn refresh_images(&self, images: &[&str]) -> Value {
        let images: Vec<Value> = images.iter().map(|image| json!({"image": image})).collect();
        self.refresh_with(json!({"images": images}))
            .await
            .expect("the refresh answers")
    }

    /// Gives `event` to `ensure`.
    pub async fn ensure(&self, event: Value) -> Value {
        let wanted = Wanted::parse(&event).expect("the request is good");
        let report = ensure::handle(&wanted, "request", in_time(), &self.replicator()).await;
        json!(report.expect("ensure answers"))
    }

    /// Gives one batch of the queue at `url` to `replicate` and settles it; `None` when there is none.
    pub async fn replicate(&self, url: &str) -> Option<Value> {
        let event = self.cloud.sqs.next_event(url, 10)?;
        let batch = serde_json::from_value(event.clone()).expect("the event is a batch");
        let response = json!(
            replicate::handle(batch, in_time(), &self.replicator())
                .await
                .response()
        );
        self.cloud.sqs.settle(url, &event, &Ok(response.clone()));
        Some(response)
    }

    /// Works off the queue at `url`, and says how many batches that were.
    pub async fn work_off(&self, url: &str) -> usize {
        let mut batches = 0;
        while self.replicate(url).await.is_some() {
            batches += 1;
        }
        batches
    }
}

/// An invocation's deadline that is far away.
pub fn in_time() -> SystemTime {
    SystemTime::from(jiff::Timestamp::now()) + Duration::from_mins(5)
}

/// `status image` for each image of a report, in its order.
pub fn statuses(report: &Value) -> Vec<String> {
    let images = report["images"].as_array().expect("a report has images");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    images
        .iter()
        .map(|image| format!("{} {}", text(&image["status"]), text(&image["image"])))
        .collect()
}

/// The reason that a report gives for its only image.
pub fn reason(report: &Value) -> &str {
    report["images"][0]["reason"].as_str().unwrap_or_default()
}
