// verilog_syntax: parse-as-module-body
// The ports of trainslice_top that are none of tb_top. Made from rtl/top/trainslice_top.sv by `make regs`.
logic axil_awvalid_i;
logic axil_awready_o;
logic [15:0] axil_awaddr_i;
logic axil_wvalid_i;
logic axil_wready_o;
logic [31:0] axil_wdata_i;
logic [3:0] axil_wstrb_i;
logic axil_bvalid_o;
logic axil_bready_i;
logic [1:0] axil_bresp_o;
logic axil_arvalid_i;
logic axil_arready_o;
logic [15:0] axil_araddr_i;
logic axil_rvalid_o;
logic axil_rready_i;
logic [31:0] axil_rdata_o;
logic [1:0] axil_rresp_o;
logic s_axis_tvalid_i;
logic s_axis_tready_o;
logic [127:0] s_axis_tdata_i;
logic s_axis_tlast_i;
logic m_axis_tvalid_o;
logic m_axis_tready_i;
logic [127:0] m_axis_tdata_o;
logic m_axis_tlast_o;
logic irq_o;
logic busy_o;
