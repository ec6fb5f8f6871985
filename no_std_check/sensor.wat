;; A plugin with 4 KiB of memory, in pages of one byte: it reads the board's thermometer, and rows of a table.
(module
  (type $host (func (param i32 i32 i32 i32) (result i32)))
  (import "board" "read_sensor" (func $read_sensor (type $host)))
  (import "sochdb" "soch_read" (func $soch_read (type $host)))
  (memory (export "memory") 4096 4096 (pagesize 1))
  (global (export "sochdb_plugin") i32 (i32.const 0))
  ;; The descriptor: ABI version 1, 256 bytes of input at 256, 2,048 bytes of output at 1024.
  (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\04\00\00" "\00\08\00\00")
  ;; The input is the request, the output is the response, as they are.
  (func (export "measure") (param $input_len i32) (result i32)
    (call $read_sensor
      (i32.const 256) (local.get $input_len) (i32.const 1024) (i32.const 2048)))
  (func (export "read") (param $input_len i32) (result i32)
    (call $soch_read
      (i32.const 256) (local.get $input_len) (i32.const 1024) (i32.const 2048))))
