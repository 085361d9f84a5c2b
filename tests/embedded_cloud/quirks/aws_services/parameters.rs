//! Parameter Store.

use aws_sdk_ssm::Client;
use embedded_cloud::Cloud;

use crate::{config, refusal};

/// The names of the parameters below a path, one list per page.
async fn pages(client: &Client, path: &str, recursive: bool) -> Vec<Vec<String>> {
    let (mut pages, mut token) = (Vec::new(), None);
    loop {
        let request = client
            .get_parameters_by_path()
            .path(path)
            .recursive(recursive)
            .set_next_token(token);
        let page = request.send().await.expect("the path is well formed");
        let names = page
            .parameters()
            .iter()
            .filter_map(|parameter| parameter.name());
        pages.push(names.map(ToOwned::to_owned).collect());
        token = page.next_token;
        if token.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn a_path_lists_one_level_or_everything_below_it() {
    let cloud = Cloud::start().await;
    for name in [
        "/catalogue",
        "/catalogue/a",
        "/catalogue/b/c",
        "/catalogues/d",
    ] {
        cloud.parameters.put(name, "images: []");
    }
    let client = Client::new(&config(&cloud).await);
    assert_eq!(
        pages(&client, "/catalogue", false).await,
        [["/catalogue/a"]]
    );
    assert_eq!(
        pages(&client, "/catalogue/", true).await,
        [["/catalogue/a", "/catalogue/b/c"]]
    );
    assert_eq!(pages(&client, "/", true).await.concat().len(), 4);
}

#[tokio::test]
async fn a_page_has_ten_parameters_at_most() {
    let cloud = Cloud::start().await;
    for number in 10..22 {
        cloud.parameters.put(&format!("/many/{number}"), "value");
    }
    let client = Client::new(&config(&cloud).await);
    let lengths: Vec<usize> = pages(&client, "/many", false)
        .await
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!(lengths, [10, 2]);
    cloud.parameters.limit_pages(5);
    let lengths: Vec<usize> = pages(&client, "/many", false)
        .await
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!(lengths, [5, 5, 2]);
    let eleven = client
        .get_parameters_by_path()
        .path("/many")
        .max_results(11)
        .send()
        .await;
    assert_eq!(refusal(eleven).0, "ValidationException");
}

#[tokio::test]
async fn a_malformed_path_and_an_unknown_token_are_refused() {
    let cloud = Cloud::start().await;
    let client = Client::new(&config(&cloud).await);
    for path in ["catalogue", "/a//b", "/a b", "/aws/service", "/SSM"] {
        let response = client.get_parameters_by_path().path(path).send().await;
        assert_eq!(refusal(response).0, "ValidationException", "{path}");
    }
    let response = client
        .get_parameters_by_path()
        .path("/a")
        .next_token("made up")
        .send()
        .await;
    assert_eq!(refusal(response).0, "InvalidNextToken");
}

#[tokio::test]
async fn a_secure_string_is_readable_only_with_decryption() {
    let cloud = Cloud::start().await;
    cloud.parameters.put_secure("/password", "hunter2");
    let read = Client::new(&config(&cloud).await)
        .get_parameter()
        .name("/password");
    let sealed = read
        .clone()
        .send()
        .await
        .expect("it exists")
        .parameter
        .expect("it is in the response");
    let open = read
        .with_decryption(true)
        .send()
        .await
        .expect("it exists")
        .parameter
        .expect("it is in the response");
    assert_ne!(sealed.value(), Some("hunter2"));
    assert_eq!(open.value(), Some("hunter2"));
}

#[tokio::test]
async fn overwriting_a_parameter_increments_its_version() {
    let cloud = Cloud::start().await;
    cloud.parameters.put("/catalogue", "old");
    cloud.parameters.put("/catalogue", "new");
    let client = Client::new(&config(&cloud).await);
    let response = client
        .get_parameter()
        .name("/catalogue")
        .send()
        .await
        .expect("it exists");
    let parameter = response.parameter.expect("it is in the response");
    assert_eq!(parameter.value(), Some("new"));
    assert_eq!(parameter.version(), 2);
    assert_eq!(
        refusal(client.get_parameter().name("/none").send().await).0,
        "ParameterNotFound"
    );
}
