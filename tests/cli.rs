//! Sessions at the command line with their output, as people see them: `TRYCMD=overwrite` writes them anew.

#[test]
fn sessions_go_as_written() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd").case("examples/mistakes/README.md").case("README.md");
}
