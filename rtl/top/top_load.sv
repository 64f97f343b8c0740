// Load engine: words of the stream in to a buffer (docs/top/reference.md, LOAD). A command begins at its first cycle with `cmd_valid_i`, takes words
// from the next one on, and is done a cycle after its last word.
module top_load
  import top_pkg::move_t;
#(
  parameter int Cores = 1,
  parameter int XWords = 8192,
  parameter int WWords = 8192,
  parameter int MWords = 1024,
  parameter int YWords = 16384,
  parameter int SWords = 4096
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,
  input  logic                      cmd_valid_i,
  /* verilator lint_off UNUSEDSIGNAL */  // spare bits, waits
  input  move_t                     cmd_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic                      cmd_done_o,     // pulse
  output logic [top_pkg::CodeW-1:0] cmd_code_o,
  output logic                      busy_o,
  input  logic                      s_valid_i,
  output logic                      s_ready_o,
  input  logic                      s_last_i,
  // the buffers' write ports; the word is the stream's
  output logic [top_pkg::AddrW-1:0] addr_o,
  output logic [7:0]                write_o,        // by buffer number
  output logic [Cores-1:0]          cores_o,        // that take it (W, M)
  input  logic                      y_free_i,       // compute leaves the write port alone: of Y, of Sw, Sm, Sv
  input  logic [2:0]                s_free_i
);
  localparam logic [1:0] Idle = 2'd0, Run = 2'd1, Swallow = 2'd2, Done = 2'd3;
  logic [1:0] state_q;
  logic [top_pkg::CodeW-1:0] code_q;
  logic [15:0] count_q;
  logic        range_q;

  logic [2:0]  target;
  logic [15:0] words;
  logic [16:0] addr, size;
  /* verilator lint_off UNUSEDSIGNAL */  // of cores that are not there
  logic [3:0]  mask;
  /* verilator lint_on UNUSEDSIGNAL */
  logic        bad_op, bad_size, outside, take, last_word;
  assign target = cmd_i.head.target;
  assign addr = {1'b0, cmd_i.addr} + {1'b0, count_q};
  assign mask = cmd_i.cores;
  assign words = cmd_i.words;
  assign bad_op = cmd_i.head.op != top_pkg::OpLoad || cmd_i.head.records || target == top_pkg::BufA;
  assign bad_size = words == '0 ||
      ((target == top_pkg::BufW || target == top_pkg::BufM) && mask[Cores-1:0] == '0);
  assign size = (target == top_pkg::BufX) ? 17'(XWords) : (target == top_pkg::BufW) ? 17'(WWords) :
      (target == top_pkg::BufM) ? 17'(MWords) : (target == top_pkg::BufY) ? 17'(YWords) : 17'(SWords);
  assign outside = addr >= size;
  assign last_word = count_q + 16'd1 == words;

  logic port_free;
  assign port_free = (target == top_pkg::BufY) ? y_free_i : (target == top_pkg::BufSw) ? s_free_i[0] :
      (target == top_pkg::BufSm) ? s_free_i[1] : (target == top_pkg::BufSv) ? s_free_i[2] : 1'b1;
  assign s_ready_o = (state_q == Run && port_free) || state_q == Swallow;
  assign take = s_valid_i && s_ready_o;
  assign addr_o = addr[top_pkg::AddrW-1:0];
  assign cores_o = mask[Cores-1:0];
  for (genvar b = 0; b < 8; b++) begin : gen_write
    assign write_o[b] = take && state_q == Run && !outside && target == 3'(b);
  end

  assign cmd_done_o = state_q == Done;
  assign cmd_code_o = code_q;
  assign busy_o = state_q != Idle;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= Idle;
      code_q  <= '0;
      count_q <= '0;
      range_q <= 1'b0;
    end else begin
      case (state_q)
        Idle: if (cmd_valid_i) begin
          count_q <= '0;
          range_q <= 1'b0;
          code_q  <= bad_op ? top_pkg::CmdOperation : bad_size ? top_pkg::CmdSize : top_pkg::CmdOk;
          state_q <= (bad_op || bad_size) ? Done : Run;
        end
        Run: if (take) begin
          count_q <= count_q + 16'd1;
          range_q <= range_q || outside;
          if (s_last_i || last_word) begin
            code_q  <= (s_last_i != last_word) ? top_pkg::CmdFraming :
                (range_q || outside) ? top_pkg::CmdRange : top_pkg::CmdOk;
            state_q <= s_last_i ? Done : Swallow;
          end
        end
        Swallow: if (take && s_last_i) state_q <= Done;
        default: state_q <= Idle;
      endcase
    end
  end
endmodule
