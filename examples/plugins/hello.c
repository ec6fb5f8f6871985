/* A SochDB plugin in C: one entry point, `hello`, that logs a line.
 *
 *   clang --target=wasm32 -Oz -nostdlib -Wl,--no-entry -Wl,--export=sochdb_plugin \
 *       -Wl,-z,stack-size=4096 -Wl,--stack-first -o hello.wasm hello.c
 */
#include <stdint.h>

__attribute__((import_module("sochdb"), import_name("log_message")))
int32_t log_message(const void *request, uint32_t request_len,
                    void *response, uint32_t response_capacity);

static uint8_t input[256], output[256];

/* The address of this is the value of the exported global. */
const struct {
    uint32_t abi_version;
    void *input;
    uint32_t input_capacity;
    void *output;
    uint32_t output_capacity;
} sochdb_plugin = {1, input, sizeof input, output, sizeof output};

__attribute__((export_name("hello")))
int32_t hello(int32_t input_len) {
    /* LogRequest: level 1 (Info), a text of 5 bytes. */
    static const uint8_t request[] = {1, 5, 'h', 'e', 'l', 'l', 'o'};
    (void)input_len;
    return log_message(request, sizeof request, 0, 0);
}
