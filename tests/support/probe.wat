;; A plugin that makes any host call with any four numbers, and otherwise misbehaves on request.
;;
;; Input Buffer (1024, 64 KiB): function u32, request_ptr, request_len, response_ptr,
;; response_capacity u32, how often u32, then the request's bytes (at 1048).
;; Output Buffer (131072, 64 KiB): status i32, then the response's bytes (at 131076).
(module
  (type $host (func (param i32 i32 i32 i32) (result i32)))
  ;; IMPORTS: every host function, in the order of the table.
  (memory (export "memory") 4)
  (global (export "sochdb_plugin") i32 (i32.const 16))
  ;; version 1, input 1024 + 65536, output 131072 + 65536
  (data (i32.const 16) "\01\00\00\00" "\00\04\00\00" "\00\00\01\00" "\00\00\02\00" "\00\00\01\00")
  ;; TABLE: the same functions, so that a function is called by its number.

  (func $once (result i32)
    (call_indirect (type $host)
      (i32.load (i32.const 1028)) (i32.load (i32.const 1032))
      (i32.load (i32.const 1036)) (i32.load (i32.const 1040))
      (i32.load (i32.const 1024))))

  ;; Calls once; answers the status and the response.
  (func (export "call") (param i32) (result i32)
    (local $status i32)
    (local.set $status (call $once))
    (i32.store (i32.const 131072) (local.get $status))
    (i32.add (i32.const 4)
      (select (local.get $status) (i32.const 0) (i32.gt_s (local.get $status) (i32.const 0)))))

 ;; Calls once, then answers what last_error says.
  (func (export "explain") (param i32) (result i32)
    (local $status i32)
    (drop (call $once))
    (local.set $status
      (call $last_error (i32.const 0) (i32.const 0) (i32.const 131076) (i32.const 65532)))
    (i32.store (i32.const 131072) (local.get $status))
    (i32.add (i32.const 4)
      (select (local.get $status) (i32.const 0) (i32.gt_s (local.get $status) (i32.const 0)))))

  ;; Calls as often as asked; answers the last status.
  (func (export "repeat") (param i32) (result i32)
    (local $left i32)
    (local.set $left (i32.load (i32.const 1044)))
    (loop $again
      (i32.store (i32.const 131072) (call $once))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i32.const 4))

  ;; Calls, then fails in some way.
  (func (export "call_then_fail") (param i32) (result i32)
    (drop (call $once)) (i32.const -3))
  (func (export "call_then_trap") (param i32) (result i32)
    (drop (call $once)) (unreachable))
  (func (export "call_then_spin") (param i32) (result i32)
    (drop (call $once)) (loop $ever (br $ever)) (unreachable))
  (func (export "call_then_overrun") (param i32) (result i32)
    (drop (call $once)) (i32.const 65537))

  ;; Answers the first bytes of the Output Buffer as the last call left them.
  (func (export "peek") (param i32) (result i32) (i32.const 64))

  (func $down (param i32) (result i32)
    (i32.add (i32.const 1) (call $down (local.get 0))))
  (func (export "recurse") (param i32) (result i32) (call $down (local.get 0)))
  (func (export "spin") (param i32) (result i32) (loop $ever (br $ever)) (unreachable))

  ;; Grows the memory by as many pages as the first word says; answers what memory.grow did.
  (func (export "grow") (param i32) (result i32)
    (i32.store (i32.const 131072) (memory.grow (i32.load (i32.const 1024))))
    (i32.const 4))

  ;; Counts how often it was called since the plugin was made.
  (global $calls (mut i32) (i32.const 0))
  (func (export "count") (param i32) (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.store (i32.const 131072) (global.get $calls))
    (i32.const 4))

  (func (export "wrong_type") (param i64) (result i32) (i32.const 0))
)
