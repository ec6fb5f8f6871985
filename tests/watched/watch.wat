;; A plugin for the tests of replays. It reads all rows of `readings` and looks at their values.
;;
;;   scan    for each row: traps if the value is FATAL; if it is more than THRESHOLD, writes it to
;;           `alerts`. Output: the number of alerts, one byte.
;;   pass    as `scan`, but only rows whose value is the input, a zigzag varint.
;;   tell    writes the input, a zigzag varint, to `alerts`.
;;   own     calls the embedder's function with the input; output: what it answered.
;;   grow    asks for as many pages as the input says; output: 1 if it got them.
;;   state   counts its calls in memory; output: the count.
;;   spin    never ends.
(module
  (type $host (func (param i32 i32 i32 i32) (result i32)))
  (import "sochdb" "soch_read" (func $soch_read (type $host)))
  (import "sochdb" "soch_write" (func $soch_write (type $host)))
  (import "sochdb" "log_message" (func $log_message (type $host)))
  (import "device" "own" (func $own (type $host)))

  (memory (export "memory") 2 64)
  (global (export "sochdb_plugin") i32 (i32.const 16))
  (global $at (mut i32) (i32.const 0))

  (data (i32.const 16)
    "\01\00\00\00" "\00\02\00\00" "\00\01\00\00" "\00\03\00\00" "\00\01\00\00")
  ;; soch_read: readings, rows from 0 on, the column `value`, no limit, as rows.
  (data (i32.const 64) "\08readings" "\02\00\00" "\01\05value" "\00" "\00")
  ;; soch_write: alerts, insert, all columns, one row without an id, one value: Int, at 109.
  (data (i32.const 96) "\06alerts" "\00" "\00" "\01" "\00\01\02")
  ;; log_message: info, "scanned".
  (data (i32.const 128) "\01\07scanned")

  ;; The varint at $at, which goes behind it.
  (func $varint (result i64)
    (local $value i64) (local $shift i64) (local $byte i64)
    (loop $more
      (local.set $byte (i64.load8_u (global.get $at)))
      (global.set $at (i32.add (global.get $at) (i32.const 1)))
      (local.set $value
        (i64.or (local.get $value)
          (i64.shl (i64.and (local.get $byte) (i64.const 0x7f)) (local.get $shift))))
      (local.set $shift (i64.add (local.get $shift) (i64.const 7)))
      (br_if $more (i64.ge_u (local.get $byte) (i64.const 0x80))))
    (local.get $value))

  (func $signed (result i64)
    (local $raw i64)
    (local.set $raw (call $varint))
    (i64.xor (i64.shr_u (local.get $raw) (i64.const 1))
      (i64.sub (i64.const 0) (i64.and (local.get $raw) (i64.const 1)))))

  ;; Writes the bytes from $from to $until, a zigzag varint, to `alerts`.
  (func $alert (param $from i32) (param $until i32) (result i32)
    (local $len i32)
    (local.set $len (i32.sub (local.get $until) (local.get $from)))
    (memory.copy (i32.const 109) (local.get $from) (local.get $len))
    (call $soch_write (i32.const 96) (i32.add (i32.const 13) (local.get $len))
      (i32.const 900) (i32.const 64)))

  (func $look (param $only i32) (param $wanted i64) (result i32)
    (local $rows i64) (local $alerts i32) (local $value i64) (local $from i32) (local $len i32)
    (local.set $len
      (call $soch_read (i32.const 64) (i32.const 21) (i32.const 65536) (i32.const 65536)))
    (if (i32.lt_s (local.get $len) (i32.const 0)) (then (return (local.get $len))))
    (global.set $at (i32.const 65536))
    (local.set $rows (call $varint))
    (block $done
      (loop $row
        (br_if $done (i64.eqz (local.get $rows)))
        (local.set $rows (i64.sub (local.get $rows) (i64.const 1)))
        ;; The id, the count of values and the value's kind are passed over.
        (drop (call $varint))
        (global.set $at (i32.add (global.get $at) (i32.const 2)))
        (local.set $from (global.get $at))
        (local.set $value (call $signed))
        (br_if $row
          (i32.and (local.get $only) (i64.ne (local.get $value) (local.get $wanted))))
        (if (i64.eq (local.get $value) (i64.const 1313 (; FATAL ;)))
          (then unreachable))
        (if (i64.gt_s (local.get $value) (i64.const 300 (; THRESHOLD ;)))
          (then
            (local.set $len (call $alert (local.get $from) (global.get $at)))
            (if (i32.lt_s (local.get $len) (i32.const 0)) (then (return (local.get $len))))
            (local.set $alerts (i32.add (local.get $alerts) (i32.const 1)))))
        (br $row)))
    (drop (call $log_message (i32.const 128) (i32.const 9) (i32.const 900) (i32.const 0)))
    (i32.store8 (i32.const 768) (local.get $alerts))
    (i32.const 1))

  (func (export "scan") (param i32) (result i32) (call $look (i32.const 0) (i64.const 0)))

  (func (export "pass") (param i32) (result i32)
    (global.set $at (i32.const 512))
    (call $look (i32.const 1) (call $signed)))

  (func (export "tell") (param $len i32) (result i32)
    (call $alert (i32.const 512) (i32.add (i32.const 512) (local.get $len))))

  (func (export "own") (param $len i32) (result i32)
    (call $own (i32.const 512) (local.get $len) (i32.const 768) (i32.const 256)))

  (func (export "grow") (param i32) (result i32)
    (i32.store8 (i32.const 768)
      (i32.ne (memory.grow (i32.load8_u (i32.const 512))) (i32.const -1)))
    (i32.const 1))

  (func (export "state") (param i32) (result i32)
    (i32.store8 (i32.const 768) (i32.add (i32.load8_u (i32.const 768)) (i32.const 1)))
    (i32.const 1))

  (func (export "spin") (param i32) (result i32) (loop $again (br $again)) (i32.const 0)))
