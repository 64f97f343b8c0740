// `TS_TRACE(fd, record, words): appends the variable `record` of `words` 32-bit words to a binary trace, lowest word first.
//
// On Verilator the memory of the variable is written as it is (little-endian machines); its $fwrite would format byte by byte, which
// took a fifth of the simulation's time.
`ifndef TS_TRACE_SVH
`define TS_TRACE_SVH
`ifdef VERILATOR
`define TS_TRACE(fd, record, words) $c("std::fwrite(&", record, ", 4, ", words, ", VL_CVT_I_FP(", fd, "));");
`else
`define TS_TRACE(fd, record, words) $fwrite(fd, "%u", record);
`endif
`endif
