//! What a client, a server or a third party puts into a proxy stays out of all that meshwhy says.

#[test]
fn no_secret_gets_into_any_sink() {
    e2e::hostile::secrets::check().unwrap();
}

#[test]
fn the_known_names_of_details_are_envoys() {
    e2e::hostile::secrets::names::check().unwrap();
}
