;; A plugin with two hooks, for `examples/hooks.rs`: `keep` refuses every delete, `count` counts its calls.
;; docs/abi.md has the bytes of what hooks get and answer.
(module
  (memory (export "memory") 1)
  (global (export "sochdb_plugin") i32 (i32.const 16))
  ;; The descriptor: version 1, Input Buffer of 4,096 bytes at 4,096, Output Buffer of 256 bytes at 64.
  (data (i32.const 16)
    "\01\00\00\00" "\00\10\00\00" "\00\10\00\00" "\40\00\00\00" "\00\01\00\00")
  ;; A HookResponse: one answer, Abort (3), code 7 (0e), a text of 26 bytes.
  (data (i32.const 512) "\01" "\03" "\0e" "\1anothing leaves the ledger!")

  (global $calls (mut i32) (i32.const 0))

  (func (export "keep") (param $input_len i32) (result i32)
    (memory.copy (i32.const 64) (i32.const 512) (i32.const 30))
    (i32.const 30))

  ;; An output of length 0 lets every row continue.
  (func (export "count") (param $input_len i32) (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.const 0))

  ;; How often `count` was called, as an i32.
  (func (export "calls") (param $input_len i32) (result i32)
    (i32.store (i32.const 64) (global.get $calls))
    (i32.const 4)))
