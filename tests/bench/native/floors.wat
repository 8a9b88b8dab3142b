;; The floors of floors.c that a WebAssembly engine can have. Addresses are offsets in the memory; entries are 64 bits.
(module
  (memory (export "memory") 48)
  (func (export "fill") (param $to i32) (param $repeat i32)
    (local $i i32)
    (loop $again
      (local.set $i (i32.const 0))
      (loop $next
        (i64.store (i32.add (local.get $to) (i32.shl (local.get $i) (i32.const 3)))
          (i64.or (i64.shl (i64.extend_i32_u (local.get $i)) (i64.const 12)) (i64.const 3)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $i) (i32.const 512))))
      (local.set $repeat (i32.sub (local.get $repeat) (i32.const 1)))
      (br_if $again (local.get $repeat))))
  (func (export "checkFill") (param $to i32) (param $repeat i32)
    (local $i i32) (local $at i32)
    (loop $again
      (local.set $i (i32.const 0))
      (loop $next
        (local.set $at (i32.add (local.get $to) (i32.shl (local.get $i) (i32.const 3))))
        (if (i64.ne (i64.and (i64.load (local.get $at)) (i64.const 4)) (i64.const 0)) (then (unreachable)))
        (i64.store (local.get $at) (i64.or (i64.shl (i64.extend_i32_u (local.get $i)) (i64.const 12)) (i64.const 3)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $i) (i32.const 512))))
      (local.set $repeat (i32.sub (local.get $repeat) (i32.const 1)))
      (br_if $again (local.get $repeat))))
  (func (export "set") (param $to i32) (param $length i32) (param $repeat i32)
    (loop $again
      (memory.fill (local.get $to) (i32.const 0x55) (local.get $length))
      (local.set $repeat (i32.sub (local.get $repeat) (i32.const 1)))
      (br_if $again (local.get $repeat))))
  (func (export "copy") (param $to i32) (param $from i32) (param $length i32) (param $repeat i32)
    (loop $again
      (memory.copy (local.get $to) (local.get $from) (local.get $length))
      (local.set $repeat (i32.sub (local.get $repeat) (i32.const 1)))
      (br_if $again (local.get $repeat))))
  (func $entry (param $table i32) (param $page i32) (param $shift i32) (result i32)
    (i32.load (i32.add (local.get $table)
      (i32.shl (i32.and (i32.shr_u (local.get $page) (local.get $shift)) (i32.const 511)) (i32.const 3)))))
  (func $walk (param $root i32) (param $page i32) (result i32)
    (call $entry
      (call $entry
        (call $entry
          (call $entry (local.get $root) (local.get $page) (i32.const 27))
          (local.get $page) (i32.const 18))
        (local.get $page) (i32.const 9))
      (local.get $page) (i32.const 0)))
  ;; `places` are `count` page numbers of 32 bits. `mask` 1: the next walk waits for the one before; 0: it does not.
  (func (export "walk") (param $root i32) (param $places i32) (param $count i32) (param $mask i32) (result i32)
    (local $found i32) (local $end i32)
    (local.set $end (i32.add (local.get $places) (i32.shl (local.get $count) (i32.const 2))))
    (if (local.get $mask)
      (then
        (loop $next
          (local.set $found (call $walk (local.get $root)
            (i32.xor (i32.load (local.get $places)) (i32.and (local.get $found) (i32.const 1)))))
          (local.set $places (i32.add (local.get $places) (i32.const 4)))
          (br_if $next (i32.lt_u (local.get $places) (local.get $end)))))
      (else
        (loop $next
          (local.set $found (i32.add (local.get $found) (call $walk (local.get $root) (i32.load (local.get $places)))))
          (local.set $places (i32.add (local.get $places) (i32.const 4)))
          (br_if $next (i32.lt_u (local.get $places) (local.get $end))))))
    (local.get $found)))
