;; A SochDB plugin without an SDK: a counter per row of a table, every byte laid by hand.
;;
;; It needs the table `counters` with one column, `count` UInt, and leave to read and write it.
;; The input of both entry points is one byte, the id of a row (1 to 127). The output is the
;; response of the host function as it came:
;;
;;   count      reads the row;              output: a RowsResponse
;;   increment  adds 1, or begins with 1;   output: a WriteResponse
;;
;; Memory:
;;
;;   16  the descriptor, 20 bytes
;;   64  the request of soch_read, 20 bytes
;;   96  the request of soch_write, 22 bytes and a varint of at most 10
;;  160  the request of emit_metric, 21 bytes
;;  192  the Input Buffer, 1 byte
;;  256  the Output Buffer, 256 bytes, where the host's responses go as well
(module
  ;; Every function of the host has this type:
  ;; request, its length, response, its capacity -> length of the response or a negative status.
  (type $host (func (param i32 i32 i32 i32) (result i32)))
  (import "sochdb" "soch_read" (func $soch_read (type $host)))
  (import "sochdb" "soch_write" (func $soch_write (type $host)))
  (import "sochdb" "emit_metric" (func $emit_metric (type $host)))

  ;; One page, and no more of them.
  (memory (export "memory") 1 1)

  ;; The address of the descriptor.
  (global (export "sochdb_plugin") i32 (i32.const 16))

  (data (i32.const 16)
    "\01\00\00\00"              ;; ABI_VERSION 1
    "\c0\00\00\00"              ;; the Input Buffer is at 192
    "\01\00\00\00"              ;; and has 1 byte
    "\00\01\00\00"              ;; the Output Buffer is at 256
    "\00\01\00\00")             ;; and has 256 bytes

  (data (i32.const 64)
    "\08counters"               ;; table: a text of 8 bytes
    "\00\01"                    ;; rows: variant 0, One; the id, at 74, is written over
    "\01\05count"               ;; columns: a list of one text of 5 bytes
    "\00"                       ;; limit: none
    "\00")                      ;; format: variant 0, Rows

  (data (i32.const 96)
    "\08counters"               ;; table
    "\02"                       ;; mode: variant 2, Upsert
    "\01\05count"               ;; columns: a list of one
    "\01"                       ;; rows: a list of one
    "\01\01"                    ;; id: some; the id, at 115, is written over
    "\01"                       ;; values: a list of one
    "\03")                      ;; variant 3, UInt; its varint, at 118, is written after it

  (data (i32.const 160)
    "\00"                       ;; kind: variant 0, Counter
    "\0aincrements"             ;; name: a text of 10 bytes
    "\00"                       ;; labels: an empty list
    "\00\00\00\00\00\00\f0\3f") ;; value: 1.0 as a little-endian double

  ;; Puts the id of the input into the requests and reads the row into the Output Buffer.
  (func $read (param $input_len i32) (result i32)
    (local $id i32)
    (local.set $id (i32.load8_u (i32.const 192)))
    ;; -3, InvalidArgs: an input of another length, or an id whose varint has another.
    (if (i32.or
          (i32.ne (local.get $input_len) (i32.const 1))
          (i32.gt_u (local.get $id) (i32.const 0x7f)))
      (then (return (i32.const -3))))
    (i32.store8 (i32.const 74) (local.get $id))
    (i32.store8 (i32.const 115) (local.get $id))
    (call $soch_read (i32.const 64) (i32.const 20) (i32.const 256) (i32.const 256)))

  (func (export "count") (param $input_len i32) (result i32)
    ;; The response lies in the Output Buffer already, and its length or the status is the result.
    (call $read (local.get $input_len)))

  (func (export "increment") (param $input_len i32) (result i32)
    (local $result i32)
    (local $count i64)
    (local $shift i64)
    (local $byte i64)
    (local $at i32)
    (local.set $result (call $read (local.get $input_len)))
    (if (i32.and
          (i32.lt_s (local.get $result) (i32.const 0))
          (i32.ne (local.get $result) (i32.const -2)))
      ;; -2, NotFound, is a counter that begins; any other status is the caller's.
      (then (return (local.get $result))))

    ;; The response is 01 (one row), the id, 01 (one value), 03 (UInt), the varint, 00 (no next).
    ;; A list without rows would be 2 bytes.
    (if (i32.gt_s (local.get $result) (i32.const 5))
      (then
        (local.set $at (i32.const 260))
        (loop $more
          ;; Seven bits a byte, the lowest first; the eighth bit says that there is another byte.
          (local.set $byte (i64.load8_u (local.get $at)))
          (local.set $count
            (i64.or
              (local.get $count)
              (i64.shl
                (i64.and (local.get $byte) (i64.const 0x7f))
                (local.get $shift))))
          (local.set $shift (i64.add (local.get $shift) (i64.const 7)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $more (i64.ge_u (local.get $byte) (i64.const 0x80))))))

    (local.set $count (i64.add (local.get $count) (i64.const 1)))

    ;; The same, the other way round.
    (local.set $at (i32.const 118))
    (loop $more
      (if (i64.ge_u (local.get $count) (i64.const 0x80))
        (then
          (i64.store8
            (local.get $at)
            (i64.or (local.get $count) (i64.const 0x80)))
          (local.set $count (i64.shr_u (local.get $count) (i64.const 7)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $more))))
    (i64.store8 (local.get $at) (local.get $count))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))

    ;; A metric is answered with no bytes, so it needs no response buffer. It is not worth failing
    ;; for: its status is dropped.
    (drop
      (call $emit_metric (i32.const 160) (i32.const 21) (i32.const 0) (i32.const 0)))

    (call $soch_write
      (i32.const 96)
      (i32.sub (local.get $at) (i32.const 96))
      (i32.const 256)
      (i32.const 256))))
