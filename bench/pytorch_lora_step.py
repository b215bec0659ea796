"""One LoRA training step of the vl-1_8b shape in PyTorch, bfloat16, on two threads: what `ixc bench train` is beside.

Random weights; frozen tower and projector, N decoder blocks with frozen Partial LoRA on 1225 image rows and LoRA of
rank 64 on all rows, recomputed block by block, loss on 22 words, clipping, AdamW. Prints the time scaled to 24 blocks.
Usage: python pytorch_lora_step.py [N blocks, 4]
"""
import torch, time, sys, math
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint
torch.set_num_threads(2); torch.manual_seed(0)
BL=int(sys.argv[1]) if len(sys.argv)>1 else 4
dt=torch.bfloat16
H,I,heads,kv,V=2048,8192,16,8,92544
d=H//heads; n=1225+60; img=slice(5,1230); learned=22
def W(o,i): return (torch.randn(o,i)*0.02).to(dt)
class Lin:
    def __init__(s,i,o):
        s.w=W(o,i); s.pa=W(256,i); s.pb=W(o,256)
        s.a=torch.nn.Parameter((torch.randn(64,i)*0.02).float()); s.b=torch.nn.Parameter(torch.zeros(o,64))
    def params(s): return [s.a,s.b]
    def __call__(s,x):
        y=x@s.w.t()
        p=(x[img]@s.pa.t())@s.pb.t()
        y=torch.cat([y[:img.start],y[img]+p,y[img.stop:]])
        return y+(F.dropout(x,0.05)@s.a.to(dt).t())@s.b.to(dt).t()
def rms(x):
    f=x.float(); return (f*torch.rsqrt(f.pow(2).mean(-1,keepdim=True)+1e-5)).to(dt)
inv=1e6**(-torch.arange(0,d,2)/d); ang=torch.outer(torch.arange(n).float(),inv); cos=torch.cat([ang.cos()]*2,-1).to(dt); sin=torch.cat([ang.sin()]*2,-1).to(dt)
def rope(x):
    a,b=x.chunk(2,-1); return x*cos+torch.cat([-b,a],-1)*sin
class Block:
    def __init__(s): s.qkv=Lin(H,(heads+2*kv)*d); s.o=Lin(heads*d,H); s.w1=Lin(H,I); s.w3=Lin(H,I); s.w2=Lin(I,H)
    def params(s): return sum((l.params() for l in (s.qkv,s.o,s.w1,s.w3,s.w2)),[])
    def __call__(s,x):
        h=s.qkv(rms(x)).view(n,kv,heads//kv+2,d)
        q=rope(h[:,:,:-2].reshape(n,heads,d).transpose(0,1)); k=rope(h[:,:,-2].transpose(0,1)); v=h[:,:,-1].transpose(0,1)
        k=k.repeat_interleave(heads//kv,0); v=v.repeat_interleave(heads//kv,0)
        a=F.scaled_dot_product_attention(q[None],k[None],v[None],is_causal=True)[0].transpose(0,1).reshape(n,heads*d)
        x=x+s.o(a); h=rms(x)
        return x+s.w2(F.silu(s.w1(h))*s.w3(h))
blocks=[Block() for _ in range(BL)]; out=W(V,H)
ps=sum((b.params() for b in blocks),[]); opt=torch.optim.AdamW(ps,lr=1e-4)
C=1024; tl=[tuple(W(o,i) for o,i in ((3*C,C),(C,C),(4*C,C),(C,4*C))) for _ in range(24)]; pr=(W(H,C),W(H,H))
def tower(x):
    for a,b,c,e in tl:
        h=F.layer_norm(x,(C,)); q,k,v=(h@a.t()).view(-1,3,16,64).permute(1,2,0,3)
        x=x+F.scaled_dot_product_attention(q[None],k[None],v[None])[0].transpose(0,1).reshape(-1,C)@b.t()
        h=F.layer_norm(x,(C,))@c.t(); x=x+(h*torch.sigmoid(1.702*h))@e.t()
    return F.gelu(x@pr[0].t())@pr[1].t()
t_=torch.randint(0,V,(learned,))
def step():
    t0=time.time()
    with torch.no_grad(): f=tower(torch.randn(1226,C).to(dt))[1:]
    t1=time.time()
    x=torch.randn(n,H).to(dt); x[img]=f; x.requires_grad_()
    for b in blocks: x=checkpoint(b,x,use_reentrant=False)
    l=F.cross_entropy((rms(x[-learned:])@out.t()).float(),t_); l.backward()
    torch.nn.utils.clip_grad_norm_(ps,1.0); opt.step(); opt.zero_grad()
    return t1-t0,time.time()-t1
for _ in range(3):
    a,b=step(); print(f"tower {a:.2f}  {BL} blocks+rest {b:.2f}  -> 24 blocks {a+b*24/BL:.1f} s",flush=True)
