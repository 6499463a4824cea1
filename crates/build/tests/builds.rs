fn main() {
    plimsoll_sandbox::init_if_requested();
}
