;; Calls a host function of the embedder's own: examples/read_sensor.rs provides `board.read_sensor`.
(module
  (import "board" "read_sensor" (func $read_sensor (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global (export "sochdb_plugin") i32 (i32.const 0))
  ;; The descriptor: ABI version 1, input at 256, output at 512, 256 bytes each.
  (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
  (func (export "measure") (param $input_len i32) (result i32)
    (call $read_sensor (i32.const 256) (local.get $input_len) (i32.const 512) (i32.const 4))))
